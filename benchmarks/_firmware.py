# SPDX-License-Identifier: Apache-2.0
"""Sizes of a Cortex-M board's firmware, and how deep its stack went in QEMU."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

STACK_PAINT = 0xA5  # firmware/boards/cortex_m/startup.c
IN_FLASH = (".text", ".ARM.exidx", ".data")


@dataclass(frozen=True, slots=True)
class FirmwareSize:
    """Bytes: `ram` is what the firmware has for itself, `stack` of it reserved for the stack,
    `lent` the arena and the room for outputs."""

    flash: int
    ram: int
    stack: int
    lent: int


def firmware_size(program: Path) -> FirmwareSize:
    """Sizes of an ELF file by its sections."""
    lines = subprocess.run(["arm-none-eabi-size", "-A", str(program)], check=True, text=True,
                           capture_output=True).stdout.splitlines()
    sizes = {words[0]: int(words[1]) for line in lines
             if len(words := line.split()) == 3 and words[1].isdecimal()}
    ram = sum(sizes.get(name, 0) for name in (".data", ".bss", ".stack"))
    return FirmwareSize(sum(sizes.get(name, 0) for name in IN_FLASH), ram, sizes[".stack"],
                        sizes.get(".noinit", 0))


def stack_used(program: Path, qmp: Path, scratch: Path) -> int:
    """Bytes of stack that a board in QEMU has used since its start, by the paint that is left.

    `qmp` is the socket of QEMU's machine protocol; `scratch` a file that QEMU writes.
    """
    symbols = {words[2]: int(words[0], 16) for line in subprocess.run(
        ["arm-none-eabi-nm", str(program)], check=True, text=True,
        capture_output=True).stdout.splitlines() if len(words := line.split()) == 3}
    bottom, top = symbols["efm_stack_bottom"], symbols["efm_stack_top"]
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(qmp))
        with line.makefile("rw", encoding="utf-8") as talk:
            talk.readline()  # the greeting
            _ask(talk, {"execute": "qmp_capabilities"})
            _ask(talk, {"execute": "pmemsave", "arguments": {
                "val": bottom, "size": top - bottom, "filename": str(scratch)}})
    stack = scratch.read_bytes()
    scratch.unlink()
    if not any(stack):
        raise RuntimeError("this machine's memory cannot be read from outside")
    unused = len(stack) - len(stack.lstrip(bytes([STACK_PAINT])))
    return len(stack) - unused


def _ask(talk: object, command: dict[str, object]) -> None:
    talk.write(json.dumps(command) + "\n")  # type: ignore[attr-defined]
    talk.flush()  # type: ignore[attr-defined]
    while "return" not in (answer := json.loads(talk.readline())):  # type: ignore[attr-defined]
        if "error" in answer:
            raise RuntimeError(answer["error"])
