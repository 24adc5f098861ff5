# SPDX-License-Identifier: Apache-2.0
"""python -m host_tools.boards.manage list | flash --board NAME | stop [--board NAME]

Which boards there are, what this checkout runs, what is plugged in; build and flash one; end those
that this checkout runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from serial.tools import list_ports

from edgefm.console.command import complete, run
from edgefm.console.terminal import say
from edgefm.errors import BadInput
from host_tools.boards import build, running
from host_tools.boards.flash import STARTS, flash, missing
from host_tools.boards.switches import only
from host_tools.boards.tree import boards


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 2 after one line of error."""
    parser = argparse.ArgumentParser(prog="boards", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    names = ", ".join(boards())
    verbs.add_parser("list", help="boards, what they lack, what runs or is plugged in"
                     ).set_defaults(run=lambda said: list_boards())
    put = verbs.add_parser("flash", help="build a board's firmware and put it there")
    put.add_argument("--board", required=True, help=f"one of {names}")
    add_flash_options(put)
    put.set_defaults(run=lambda said: flash_board(said.board, said))
    end = verbs.add_parser("stop", help="end boards that this checkout has started")
    end.add_argument("--board", help=f"one that runs, of {names} (default: all that run)")
    end.set_defaults(run=lambda said: stop_boards(said.board))
    said = parser.parse_args(arguments)
    return complete(lambda: said.run(said), "boards")


def add_flash_options(parser: argparse.ArgumentParser) -> None:
    """How a board is flashed, and with what."""
    parser.add_argument("--tool", help="pyocd, openocd, … (default: the first that is installed)")
    parser.add_argument("--to", help="a probe's serial number, a drive, or USER@HOST (default: the "
                        "only one)")
    parser.add_argument("--only", type=Path, metavar="NET.EFM", help="leave out every operator and "
                        "codec that this package does not use (default: none)")


def list_boards() -> None:
    """Print every board with the programs that it lacks, what runs, and what is plugged in."""
    found = [build.recipe(name) for name in boards()]
    for made in found:
        name = made.name
        say(f"{name:<17}{made.description}; {made.status}")
        compiler = build.missing(made)
        lacks = [] if compiler is None else [f"{made.compiler}: {compiler}"]
        lacks += [f"{tool}: {line}" for tool, options in made.flash.items()
                  if (line := missing(tool, options)) is not None]
        for line in lacks:
            say(f"{'':<17}lacks {line}")
    _say_untried(found)
    for board in running.running():
        say(f"running: {board.board} at {board.url}, process {board.pid}")
    for port in list_ports.comports():
        say(f"plugged in: {port.device} ({port.description})")


def _say_untried(found: Sequence[build.BoardRecipe]) -> None:
    emulated = [made for made in found if made.tried == ("emulator",)]
    for what, boards_of_it in (
            ("hardware or an emulator", [made for made in found if not made.tried]),
            ("hardware, but on an emulator", [made for made in emulated
                                              if made.flash.keys() - STARTS.keys()])):
        names = ", ".join(made.name for made in boards_of_it)
        say(f"never run on {what}: {names or 'none'}")


def flash_board(board: str, said: argparse.Namespace) -> None:
    """Build a board's firmware and put it there, with the options of add_flash_options().

    Raises BadInput, MissingTool.
    """
    made = build.recipe(board)
    program = build.build(board, only(said.only) if said.only else None,
                          small=bool(said.only))
    started = flash(made.name, made.flash, program, tool=said.tool, to=said.to)
    where = f" at {started.url}, process {started.pid}" if started else ""
    say(f"{made.name} runs {program.parent.name}{where}")


def stop_boards(board: str | None) -> None:
    """End a board, or all that run. Raises BadInput where it does not run."""
    found = [b for b in running.running() if board in (None, b.board)]
    if board and not found:
        raise BadInput(f"no board {board!r} of this checkout runs")
    if not found:
        say("no board of this checkout runs")
    for one in found:
        running.stop(one)
        say(f"stopped {one.board} at {one.url}")


if __name__ == "__main__":
    run(main, "boards")
