# SPDX-License-Identifier: Apache-2.0
"""Flashes firmware on a board: the tools and their commands ([flash] of board.toml)."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgefm.console.terminal import say
from edgefm.errors import BadInput, EdgefmError, MissingTool
from edgefm.files.write import write_file
from host_tools.boards.image import flash_image, seal_boot2, write_uf2
from host_tools.boards.launch import emulator_of, install_line, start_process, start_qemu
from host_tools.boards.running import Running
from host_tools.boards.tree import BOARDS

Options = Mapping[str, Any]
Command = list[str]
DRIVES = ("/media/*/{}", "/run/media/*/{}", "/Volumes/{}", "/mnt/{}")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that flashes: how to install it, and its commands for a board.

    `commands(options, program, to)` writes the files that they need beside the program.
    """

    needs: tuple[str, ...]
    install: str
    commands: Callable[[Options, Path, str | None], list[Command]]


def _pyocd(options: Options, program: Path, to: str | None) -> list[Command]:
    probe = ["-u", to] if to else []
    return [["pyocd", "load", "-t", str(options["target"]), *probe, str(program)]]


def _openocd(options: Options, program: Path, to: str | None) -> list[Command]:
    files = [word for name in options["files"] for word in ("-f", str(name))]
    serial = ["-c", f"adapter serial {to}"] if to else []
    return [["openocd", *files, *serial, "-c", f"program {{{program}}} verify reset exit"]]


def _dfu_util(options: Options, program: Path, to: str | None) -> list[Command]:
    address, image = flash_image(program.read_bytes())
    raw = program.with_suffix(".bin")
    write_file(raw, image)
    serial = ["-S", to] if to else []
    return [["dfu-util", "-d", str(options["device"]), *serial, "-a", "0",
             "-s", f"{address:#010x}:leave", "-D", str(raw)]]


def _uf2(options: Options, program: Path, to: str | None) -> list[Command]:
    packed = program.with_suffix(".uf2")
    address, image = flash_image(program.read_bytes())
    sealed = seal_boot2(image) if options.get("boot2") else image
    write_file(packed, write_uf2(address, sealed, int(options["family"])))
    return [["cp", str(packed), str(Path(to) if to else _drive(str(options["drive"])))]]


def _esptool(options: Options, program: Path, to: str | None) -> list[Command]:
    raw = program.with_suffix(".bin")
    write_file(raw, flash_image(program.read_bytes())[1])
    port = ["--port", to] if to else []
    return [["esptool", "--chip", str(options["chip"]), *port, "write_flash", "0", str(raw)]]


def _ssh(options: Options, program: Path, to: str | None) -> list[Command]:
    if not to:
        raise BadInput("which machine? give --to USER@HOST")
    unit = BOARDS / str(options["unit"])
    place = ("install -D -m 755 {} ~/.local/bin/edgefm-board && "
             "install -D -m 644 {} ~/.config/systemd/user/{} && rm {} {} && "
             "systemctl --user daemon-reload && systemctl --user enable {} && "
             "systemctl --user restart {}")
    file, name = program.name, unit.name
    return [["scp", str(program), str(unit), f"{to}:"],
            ["ssh", to, place.format(file, name, name, file, name, name, name)]]


def _drive(name: str) -> Path:
    """The place where the boot drive of that name is mounted."""
    for pattern in DRIVES:
        for found in Path("/").glob(pattern.format(name).lstrip("/")):
            return found
    raise EdgefmError(f"no drive {name} is mounted: hold the board's BOOTSEL button while it is "
                      "plugged in, or say where it is with --to FOLDER")


TOOLS: Mapping[str, Tool] = MappingProxyType({
    "pyocd": Tool(("pyocd",), "pip install pyocd", _pyocd),
    "openocd": Tool(("openocd",), "sudo apt-get install openocd", _openocd),
    "dfu-util": Tool(("dfu-util",), "sudo apt-get install dfu-util", _dfu_util),
    "uf2": Tool(("cp",), "sudo apt-get install coreutils", _uf2),
    "esptool": Tool(("esptool",), "pip install esptool", _esptool),
    "ssh": Tool(("scp", "ssh"), "sudo apt-get install openssh-client", _ssh),
})
STARTS: Mapping[str, Callable[..., Running]] = MappingProxyType(
    {"qemu": start_qemu, "process": start_process})


def missing(tool: str, options: Options) -> str | None:
    """The command that installs a tool; None: nothing is missing."""
    if tool == "process":
        runner = options.get("runner")
        lacks = runner and shutil.which(str(runner[0])) is None
        return "sudo apt-get install qemu-user" if lacks else None
    if tool == "qemu":
        return install_line(options) if shutil.which(emulator_of(options)) is None else None
    entry = TOOLS[tool]
    return entry.install if any(shutil.which(name) is None for name in entry.needs) else None


def choose(board: str, tools: Mapping[str, Options], wanted: str | None) -> str:
    """The tool to flash a board with: the wanted one, else the first that is installed."""
    if wanted is not None and wanted not in tools:
        raise BadInput(f"{board} cannot be flashed with {wanted!r}; expected one of "
                       f"{', '.join(tools)}")
    names = [wanted] if wanted is not None else list(tools)
    lines = {name: missing(name, tools[name]) for name in names}
    for name, line in lines.items():
        if line is None:
            return name
    raise MissingTool(f"{board}: needs {' or '.join(names)}; type: {lines[names[0]]}")


def flash(board: str, tools: Mapping[str, Options], program: Path, *, tool: str | None = None,
          to: str | None = None, say: Callable[[str], None] = say) -> Running | None:
    """Flash the program on the board, or start an emulated board; `say` gets every command.

    `to` is a probe's or device's serial number, a drive, or USER@HOST. Returns the board if it
    is a process. Raises MissingTool, or EdgefmError with the tool's last line when it fails.
    """
    name = choose(board, tools, tool)
    if name in STARTS:
        return STARTS[name](board, tools[name], program, say)
    for command in TOOLS[name].commands(tools[name], program, to):
        say(shlex.join(command))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
            raise EdgefmError(f"{board}: {command[0]} failed with {done.returncode}: {said[-1]}")
    return None
