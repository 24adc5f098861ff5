# SPDX-License-Identifier: Apache-2.0
"""Say what is installed and connected, what is missing, and what to type."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from edgefm import zoo
from edgefm.console.terminal import say
from edgefm.errors import BadInput, EdgefmError
from edgefm.runtime.load import native
from host_tools.boards.find import found
from host_tools.cli.arguments import add_json
from host_tools.cli.output import print_json, print_table
from host_tools.power.meters import KINDS, find_meters

EXAMPLE = "edgefm doctor"
GOOD, MISSING, BROKEN = "good", "missing", "broken"
RULES = "/etc/udev/rules.d/60-edgefm.rules"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing: how it is, a detail, and what to type where it is not good."""

    what: str
    state: str
    detail: str = ""
    remedy: str = ""


# What a module is for, and the extra that brings it.
MODULES = {"onnx": (".onnx files", "onnx"), "ai_edge_litert": ("TFLite as the reference", "tflite"),
           "torch": ("training", "train"), "distributed": ("sweeps on a cluster", "cluster"),
           "shtab": ("tab completion", "completion")}
# What a program is for, and the Debian packages that have it.
PROGRAMS = {
    "cc": ("the runtime and the board sim", "gcc"),
    "arm-none-eabi-gcc": ("Cortex-M boards", "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
    "riscv64-unknown-elf-gcc": ("RISC-V boards", "gcc-riscv64-unknown-elf"),
    "aarch64-linux-gnu-gcc": ("Raspberry Pi",
                              "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
    "qemu-system-arm": ("emulated Cortex-M boards", "qemu-system-arm"),
    "qemu-system-riscv32": ("emulated RISC-V boards", "qemu-system-misc"),
    "openocd": ("flashing with a debug probe", "openocd"),
    "dfu-util": ("flashing over USB", "dfu-util")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `doctor`."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Look, print, and fail where something that every command needs is broken."""
    seen = {title: list(look()) for title, look in CHECKS.items()}
    if arguments.json:
        print_json({title: [asdict(one) for one in every] for title, every in seen.items()})
    else:
        _print(seen)
    broken = [one for every in seen.values() for one in every if one.state == BROKEN]
    if broken:
        raise BadInput(f"{broken[0].what}: {broken[0].detail}; {broken[0].remedy}")


def _print(seen: dict[str, list[Diagnosis]]) -> None:
    for title, every in seen.items():
        say(f"{title}")
        print_table(("", "state", "detail"), [(one.what, one.state, one.detail) for one in every])
        say()
    remedies = [one for every in seen.values() for one in every if one.remedy]
    for one in remedies:
        say(f"{one.what}: {one.remedy}")
    if remedies:
        say()
    count = sum(len(every) for every in seen.values())
    good = sum(one.state == GOOD for every in seen.values() for one in every)
    say(f"{good} of {count} are good; only what you need has to be")


def _host() -> Iterator[Diagnosis]:
    yield Diagnosis("Python", GOOD, sys.version.split()[0])
    try:
        yield Diagnosis("edgefm", GOOD, version("edgefm"))
    except PackageNotFoundError:
        yield Diagnosis("edgefm", MISSING, "runs from its sources", "pip install .")
    yield _runtime()
    folder = zoo.cache_dir()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    writable = os.access(there, os.W_OK)
    yield Diagnosis("cache of public models", GOOD if writable else MISSING, str(folder),
                "" if writable else "name a folder of yours in EDGEFM_CACHE")


def _runtime() -> Diagnosis:
    try:
        native()
        return Diagnosis("C runtime", GOOD, "is built and loads")
    except EdgefmError as error:
        return Diagnosis("C runtime", BROKEN, str(error), "./inv build")


def _modules() -> Iterator[Diagnosis]:
    for name, (use, extra) in MODULES.items():
        there = importlib.util.find_spec(name) is not None
        yield Diagnosis(name, GOOD if there else MISSING, use,
                    "" if there else f"pip install 'edgefm[{extra}]'")


def _programs() -> Iterator[Diagnosis]:
    for name, (use, packages) in PROGRAMS.items():
        there = shutil.which(name) is not None
        yield Diagnosis(name, GOOD if there else MISSING, use,
                    "" if there else f"sudo apt-get install {packages}")


def _boards() -> Iterator[Diagnosis]:
    boards = [one for one in found() if one.runs_here]
    for board in boards:
        yield Diagnosis(board.name, GOOD, f"runs at {board.url}")
    ports = [port for port in sorted(list_ports.comports()) if port.vid is not None]
    yield from map(_port, ports)
    if not boards and not ports:
        yield Diagnosis("boards", MISSING, "none is connected or running",
                    "./inv flash --board sim starts one")


def _port(port: ListPortInfo) -> Diagnosis:
    """A serial port, and the udev rule that lets this user open it."""
    name = port.product or port.description or "serial port"
    if os.access(port.device, os.R_OK | os.W_OK):
        return Diagnosis(port.device, GOOD, name)
    return Diagnosis(port.device, MISSING, f"{name}: this user may not open it", udev_line(port))


def udev_line(port: ListPortInfo) -> str:
    """The line to type, after which users at this machine may open such ports."""
    rule = (f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{port.vid or 0:04x}", '
            f'ATTRS{{idProduct}}=="{port.pid or 0:04x}", MODE="0660", TAG+="uaccess"')
    return (f"echo '{rule}' | sudo tee -a {RULES} && sudo udevadm control --reload && "
            "sudo udevadm trigger")


def _meters() -> Iterator[Diagnosis]:
    meters = find_meters()
    for meter in meters:
        yield Diagnosis(meter.kind, GOOD, f"{meter.where}; `edgefm meters` tests it")
    if not meters:
        yield Diagnosis("meters", MISSING, f"looked for {', '.join(KINDS)}; energy is modeled")


CHECKS: dict[str, Callable[[], Iterator[Diagnosis]]] = {
    "this machine": _host, "extras": _modules, "programs": _programs, "boards": _boards,
    "power meters": _meters}
