# SPDX-License-Identifier: Apache-2.0
"""Builds edgefm.mpy, which an unmodified MicroPython imports, and what `mpremote mip` installs."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edgefm import __version__
from edgefm.console.command import run as run_command
from edgefm.console.terminal import say
from edgefm.errors import BadInput, MissingTool
from edgefm.files.read import read_bytes
from edgefm.files.write import make_folder, write_file
from host_tools.boards.switches import only
from host_tools.boards.tree import ROOT

MODULE = ROOT / "firmware" / "micropython" / "edgefm"
COMPILERS = {"armv6m": "arm-none-eabi-gcc", "armv7m": "arm-none-eabi-gcc",
             "armv7emsp": "arm-none-eabi-gcc", "armv7emdp": "arm-none-eabi-gcc",
             "x64": "x86_64-linux-gnu-gcc", "rv32imc": "riscv64-unknown-elf-gcc"}


def build_mpy(micropython: Path, architecture: str, folder: Path,
              defines: Mapping[str, int] | None = None) -> Path:
    """edgefm.mpy of one architecture, with a package.json beside it, in `folder`.

    `micropython` is a checkout, `defines` the runtime's switches: {"EFM_WITH_PAD": 0}. Raises
    BadInput with the first complaint, MissingTool without a compiler or make.
    """
    _check(micropython, architecture)
    with tempfile.TemporaryDirectory() as work:
        words = [f"-D{name}={value}" for name, value in sorted((defines or {}).items())]
        done = subprocess.run(
            ["make", f"-j{os.cpu_count()}", "-C", str(MODULE), f"MPY_DIR={micropython.resolve()}",
             f"ARCH={architecture}", f"BUILD={work}", f"PYTHON={sys.executable}",
             f"EDGEFM_DEFINES={' '.join(words)}"], capture_output=True, text=True, check=False)
        if done.returncode:
            complaint = _complaint(done.stdout + done.stderr)
            raise BadInput(f"edgefm.mpy for {architecture}: {complaint}")
        module = read_bytes(Path(work) / "linked" / "edgefm.mpy")
    make_folder(folder)
    write_file(folder / "edgefm.mpy", module)
    urls = {"urls": [["edgefm.mpy", "edgefm.mpy"]], "version": __version__}
    write_file(folder / "package.json", json.dumps(urls).encode() + b"\n")
    return folder / "edgefm.mpy"


def missing(architecture: str) -> str | None:
    """What this machine lacks to build for an architecture; None: nothing."""
    for tool in ("make", COMPILERS[architecture]):
        if shutil.which(tool) is None:
            return tool
    if architecture == "rv32imc" and not _has_library(COMPILERS[architecture]):
        return "a C library for RISC-V (sudo apt-get install picolibc-riscv64-unknown-elf)"
    return None


def _has_library(compiler: str) -> bool:
    """Whether a compiler has standard headers: MicroPython's Makefile finds those of picolibc."""
    specs = subprocess.run([compiler, "-print-file-name=picolibc.specs"], capture_output=True,
                           text=True, check=False).stdout.strip()
    words = shlex.split(os.environ.get("CFLAGS_EXTRA", ""))
    if os.path.isabs(specs):
        words.append(f"-specs={specs}")
    probe = [compiler, *words, "-E", "-x", "c", "-include", "math.h", os.devnull]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _check(micropython: Path, architecture: str) -> None:
    if not (micropython / "py" / "dynruntime.mk").is_file():
        raise BadInput(f"{micropython} is not a checkout of MicroPython: it has no "
                       "py/dynruntime.mk")
    if architecture not in COMPILERS:
        raise BadInput(f"architecture: got {architecture!r}, expected one of "
                       f"{', '.join(COMPILERS)}")
    lacks = missing(architecture)
    if lacks:
        raise MissingTool(f"edgefm.mpy for {architecture} needs {lacks}")


def _complaint(printed: str) -> str:
    lines = [line for line in printed.splitlines() if "rror" in line] or ["make says nothing"]
    return lines[0]


def main() -> int:
    """The command behind `./inv mpy`."""
    parser = argparse.ArgumentParser(prog="mpy", description=__doc__)
    parser.add_argument("micropython", type=Path, help="a checkout of MicroPython")
    parser.add_argument("architecture", help=f"one of {', '.join(COMPILERS)}")
    parser.add_argument("--only", type=Path, help="a package: leave out what it does not use")
    parser.add_argument("--out", type=Path, help="folder (default: build/micropython/ARCH)")
    said = parser.parse_args()
    folder = said.out or ROOT / "build" / "micropython" / said.architecture
    module = build_mpy(said.micropython, said.architecture, folder,
                       only(said.only) if said.only else None)
    say(f"{module}: {module.stat().st_size} bytes; type: mpremote mip install "
        f"{folder / 'package.json'}")
    return 0


if __name__ == "__main__":
    run_command(main, "mpy")
