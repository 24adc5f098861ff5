# SPDX-License-Identifier: Apache-2.0
"""The real MicroPython from a checkout, MICROPY_DIR: its unix port, boards in QEMU, native modules.

Builds are kept under build/micropython; make knows what has changed.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from host_tools.micropython.build import build_mpy
from host_tools.micropython.romfs import romfs_image

ROOT = Path(__file__).resolve().parent.parent.parent
BUILDS = ROOT / "build" / "micropython"
MODULE = ROOT / "firmware" / "micropython"
TEST_MODULES = ROOT / "tests" / "support" / "micropython_modules"
ABSENT = ("MICROPY_PY_BTREE=0", "MICROPY_PY_SSL=0", "MICROPY_SSL_MBEDTLS=0", "MICROPY_PY_FFI=0")
HEAP_BYTES = 2_000_000
START_SECONDS = 30


def checkout() -> Path:
    """The checkout; skips the test without one."""
    named = os.environ.get("MICROPY_DIR", "")
    if not named or not (Path(named) / "py" / "dynruntime.mk").is_file():
        pytest.skip("needs a checkout of MicroPython: MICROPY_DIR names none")
    return Path(named)


def unix_port(with_module: bool) -> Path:
    """The interpreter for this machine; `with_module` it has edgefm, else it is unmodified."""
    name = "unix-edgefm" if with_module else "unix"
    _make("unix", name, "VARIANT=standard", *ABSENT,
          *([f"USER_C_MODULES={MODULE}"] if with_module else []))
    return BUILDS / name / "micropython"


def board_port(board: str, with_module: bool) -> Path:
    """The firmware of a QEMU board; that with the module can also write its ROMFS."""
    name = f"{board}-edgefm" if with_module else board
    _make("qemu", name, f"BOARD={board}", f"MICROPY_HEAP_SIZE={HEAP_BYTES}",
          *([f"USER_C_MODULES={MODULE} {TEST_MODULES}"] if with_module else []),
          *([f"LIBS={_rv32_library()}"] if board == "VIRT_RV32" else []))
    return BUILDS / name / "firmware.elf"


def _rv32_library() -> str:
    """The compiler's library for 32 bits: GCC 12 does not find it for the port's -march."""
    return subprocess.run(["riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32",
                           "-print-libgcc-file-name"], capture_output=True, text=True,
                          check=True).stdout.strip()


def native_module(architecture: str, defines: Mapping[str, int] | None = None) -> Path:
    """edgefm.mpy in a folder of its own."""
    name = architecture + ("-small" if defines else "")
    return build_mpy(checkout(), architecture, BUILDS / name, defines)


def _make(port: str, name: str, *options: str) -> None:
    done = subprocess.run(
        ["make", f"-j{os.cpu_count()}", "-C", str(checkout() / "ports" / port),
         f"BUILD={BUILDS / name}", "FROZEN_MANIFEST=", f"PYTHON={sys.executable}", *options],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def run_unix(interpreter: Path, script: str, folder: Path, path: Path | None = None) -> str:
    """What a script prints; `path` is where it imports from."""
    file = folder / "script.py"
    file.write_text(script)
    done = subprocess.run([str(interpreter), str(file)], capture_output=True, text=True,
                          check=False, timeout=120, cwd=folder,
                          env={**os.environ, "MICROPYPATH": str(path or "")})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@dataclass(frozen=True)
class Emulated:
    """A QEMU board: its program, machine, and where its ROMFS lies."""

    emulator: str
    machine: Sequence[str]
    rom: int


BOARDS = {
    "MPS2_AN385": Emulated("qemu-system-arm", ("-M", "mps2-an385"), 0x21000000),
    "MPS2_AN500": Emulated("qemu-system-arm", ("-M", "mps2-an500"), 0x60C00000),
    "VIRT_RV32": Emulated("qemu-system-riscv32",
                          ("-M", "virt", "-bios", "none", "-cpu", "rv32"), 0x80610000),
}


@contextmanager
def running(board: str, firmware: Path, files: Mapping[str, bytes], folder: Path,
            counting: bool = False) -> Iterator[str]:
    """The board with these files in ROMFS; gives its pty. If `counting`, its time is instructions,
    which pass faster than a mounted folder answers."""
    emulated = BOARDS[board]
    words = [emulated.emulator, *emulated.machine, "-nographic", "-monitor", "null", "-semihosting",
             *(("-icount", "shift=6") if counting else ()), "-serial", "pty",
             "-kernel", str(firmware)]
    if files:
        image = folder / "rom.img"
        image.write_bytes(romfs_image(files))
        words += ["-device", f"loader,file={image},addr={emulated.rom:#x},force-raw=on"]
    said = folder / "qemu.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield _pty(said, process)
    finally:
        process.kill()
        process.wait()


def _pty(said: Path, process: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"/dev/pts/\d+", said.read_text(errors="replace"))
        if found:
            return found.group()
        time.sleep(0.05)
    raise AssertionError(f"QEMU gave no pty: {said.read_text(errors='replace')!r}")


def mpremote(port: str, *words: str) -> str:
    """What the real mpremote prints."""
    done = subprocess.run([sys.executable, "-m", "mpremote", "connect", port, *words],
                          capture_output=True, text=True, check=False, timeout=300,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
