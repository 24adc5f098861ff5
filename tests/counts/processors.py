# SPDX-License-Identifier: Apache-2.0
"""The processors that are counted: boards in QEMU, and Linux programs under qemu-user."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import _emulated
from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadInput
from host_tools.boards import build, running
from host_tools.boards.launch import emulator_of

Count = Callable[[Compiled], int]


@dataclass(frozen=True, slots=True)
class Processor:
    """What counts: a board, its firmware's switches, and for which target packages are compiled.

    `runner` is the emulator of a board that is a Linux process; `long` where others find the same.
    """

    name: str
    board: str
    target: str | None = None
    packing: str | None = None
    defines: Mapping[str, int] = field(default_factory=dict)
    runner: tuple[str, ...] = ()
    long: bool = False

    @property
    def compiler(self) -> str:
        """The program that compiles for it."""
        return build.recipe(self.board).compiler

    @property
    def programs(self) -> tuple[str, ...]:
        """What counting on it takes."""
        if self.runner:
            return self.compiler, self.runner[0], "cc"
        return self.compiler, emulator_of(build.recipe(self.board).flash["qemu"])

    def lacks(self) -> str | None:
        """The first program that this machine has not."""
        return next((name for name in self.programs if shutil.which(name) is None), None)


PROCESSORS = {one.name: one for one in (
    Processor("cortex-m4", "qemu-an386", "cortex-m4"),
    Processor("cortex-m4, pairs", "qemu-an386", "cortex-m4", "pairs", long=True),
    Processor("cortex-m4, portable", "qemu-an386",
              defines={"EFM_KERNEL_DSP": 0, "EFM_KERNEL_ELEMENTS": 0}, long=True),
    Processor("cortex-m7", "qemu-an500", "cortex-m4", long=True),
    Processor("cortex-m55", "qemu-an547", "cortex-m55"),
    Processor("cortex-m0plus", "qemu-m0plus"),
    Processor("rv32imac", "qemu-rv32"),
    Processor("aarch64, SDOT", "raspberry-pi", runner=("qemu-aarch64", "-cpu", "cortex-a76")),
    Processor("aarch64", "raspberry-pi", runner=("qemu-aarch64", "-cpu", "cortex-a53")),
    Processor("armv7", "raspberry-pi-32", runner=("qemu-arm", "-cpu", "cortex-a7")))}


@contextmanager
def counting(processor: Processor) -> Iterator[Count]:
    """Builds the program, starts the board. What it yields counts the instructions of an inference,
    and raises BadInput where outputs or counters are not this machine's."""
    with _emulated.own_boards():
        if processor.runner:
            program = _emulated.linux_program(processor.board)
            yield lambda compiled: _emulated.run_linux(program, processor.compiler,
                                                       processor.runner, compiled)
        else:
            board = _emulated.start(processor.board, processor.defines)
            yield lambda compiled: _ticks(board, compiled)


def _ticks(board: running.Running, compiled: Compiled) -> int:
    outcome = _emulated.run_on(board, compiled)
    if not isinstance(outcome.cell, int):
        raise BadInput(f"{board.board}: {outcome.cell}")
    return outcome.cell


def code_bytes(processor: Processor) -> int | None:
    """Code and constants of a board's whole firmware; None for Linux programs."""
    if processor.runner:
        return None
    size = f"{processor.compiler.removesuffix('-gcc')}-size"
    program = build.build(processor.board, processor.defines)
    printed = subprocess.run([size, str(program)], check=True, text=True, capture_output=True)
    text, data = printed.stdout.splitlines()[1].split()[:2]
    return int(text) + int(data)


def version(compiler: str) -> str:
    """The version of a compiler that is installed."""
    said = subprocess.run([compiler, "-dumpfullversion"], check=True, text=True,
                          capture_output=True).stdout
    found = re.match(r"[\d.]+", said)
    assert found is not None, said
    return found[0]
