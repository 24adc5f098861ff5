# SPDX-License-Identifier: Apache-2.0
"""The tasks behind `./inv`; each one only names the command it runs."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from invoke import Context, Exit, task

ROOT = Path(__file__).resolve().parent
PYTHON = shlex.quote(sys.executable)
BOARDS = sorted(path.parent.name for path in ROOT.glob("firmware/boards/*/board.toml"))
BENCHMARKS = sorted(path.stem for path in ROOT.glob("benchmarks/[!_]*.py"))
MPY_ARCHITECTURES = ("armv6m", "armv7m", "armv7emsp", "armv7emdp", "x64", "rv32imc")
APT = {
    "gcc": "gcc", "g++": "g++", "clang": "clang",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
    "qemu-system-riscv32": "qemu-system-misc",
    "qemu-arm": "qemu-user", "qemu-system-arm": "qemu-system-arm", "chromium": "chromium",
}


def _run(context: Context, command: str) -> None:
    """Run a command in the project's root; its exit status becomes ours."""
    with context.cd(str(ROOT)):
        result = context.run(command, pty=sys.stdout.isatty(), warn=True, in_stream=False)
    if result is not None and not result.ok:
        raise Exit(code=result.return_code)


def _required(name: str, said: str, expected: str) -> str:
    """An option's word. It has a default, as invoke would take --help for one that must be said."""
    if not said:
        raise Exit(f"{name} is missing; expected {expected}", code=2)
    return said


@task
def setup(context: Context) -> None:
    """Install the system packages that tests and tools use, with apt when this user may."""
    wanted = [package for tool, package in APT.items() if shutil.which(tool) is None]
    if not wanted:
        print("every system package is there")
        return
    line = f"apt-get install -y {' '.join(wanted)}"
    if os.geteuid() == 0:
        _run(context, f"apt-get update -q && {line}")
    elif context.run("sudo -n true", hide=True, warn=True).ok:
        _run(context, f"sudo apt-get update -q && sudo {line}")
    else:
        raise Exit(f"type: sudo {line}", code=2)


@task
def build(context: Context) -> None:
    """Compile the C runtime into the package (only what changed)."""
    _run(context, f"{PYTHON} setup.py --quiet build_ext --inplace --parallel 2")


@task(pre=[build])
def demo(context: Context) -> None:
    """Compile, plan, run and validate a real network; print a table, write an HTML report."""
    _run(context, f"{PYTHON} -m edgefm.demo")


@task(pre=[build], help={"all": "run the long tests too, as CI does",
                         "args": "further arguments for pytest, e.g. '-k store -x'"})
def test(context: Context, all: bool = False, args: str = "") -> None:
    """Run the tests on all cores, long ones with --all; say what this machine lacks and skip it.

    Tests of one file run one after another on one core; `--args "-n 0"` runs all of them on one.
    """
    _run(context, f"{PYTHON} -m pytest -n auto --dist loadfile {'--all ' if all else ''}{args}")


@task
def lint(context: Context) -> None:
    """Check style with ruff and clang-format, types with mypy --strict, English and links."""
    _run(context, f"{PYTHON} -m ruff check . && {PYTHON} -m mypy && {PYTHON} tools/c_style.py "
                  f"&& {PYTHON} tools/words.py && {PYTHON} tools/docs.py")


@task
def format(context: Context) -> None:
    """Bring the C files into the one style of .clang-format."""
    _run(context, f"{PYTHON} tools/c_style.py --apply")


@task(help={"seconds": "how long each fuzzer runs (default 600)"})
def fuzz(context: Context, seconds: int = 600) -> None:
    """Fuzz loader, executor, firmware and decoders with libFuzzer; other processors' kernels."""
    _run(context, f"{PYTHON} tests/fuzz/run.py --seconds {seconds}")
    _run(context, f"{PYTHON} tests/fuzz/processors.py --seconds {seconds}")


@task
def size(context: Context) -> None:
    """Measure code and stack of the runtime on a Cortex-M4 and compare with the budgets."""
    _run(context, f"{PYTHON} tools/size.py")


@task
def docs(context: Context) -> None:
    """Build the docs site into dist/docs, which opens from disk without network."""
    _run(context, f"{PYTHON} -m tools.docsite.build")


@task
def document(context: Context) -> None:
    """Measure what the documents say of the runtime's size, and write it there."""
    _run(context, f"{PYTHON} tools/document.py")


@task(pre=[build], help={"name": f"one of {', '.join(BENCHMARKS)} (default: all)"})
def bench(context: Context, name: str = "") -> None:
    """Print the tables of docs/RESULTS.md: one benchmark, or all of them."""
    if name and name not in BENCHMARKS:
        raise Exit(f"bench: no {name!r}; expected one of {', '.join(BENCHMARKS)}", code=2)
    for one in [name] if name else BENCHMARKS:
        _run(context, f"{PYTHON} {shlex.quote(str(ROOT / 'benchmarks' / one))}.py")


@task(pre=[build])
def package(context: Context) -> None:
    """Write wheels, sdist, C library, one-file runtime and Arduino library into dist/."""
    _run(context, f"{PYTHON} tools/package.py")


@task
def boards(context: Context) -> None:
    """List which boards are supported, what runs or is plugged in, which tools are missing."""
    _run(context, f"{PYTHON} -m host_tools.boards.manage list")


@task(help={"board": f"required: one of {', '.join(BOARDS)}",
            "tool": "what to flash with, e.g. pyocd (default: the first that is installed)",
            "to": "which one: a probe's serial number, a drive, or USER@HOST",
            "only": "a package (.efm): leave out every operator and codec that it does not use"})
def flash(context: Context, board: str = "", tool: str = "", to: str = "", only: str = "") -> None:
    """Build a board's firmware and put it there; an emulated board is started."""
    options = {"board": _required("flash: --board", board, f"one of {', '.join(BOARDS)}"),
               "tool": tool, "to": to, "only": only}
    words = " ".join(f"--{name} {shlex.quote(word)}" for name, word in options.items() if word)
    _run(context, f"{PYTHON} -m host_tools.boards.manage flash {words}")


@task(help={"micropython": "a checkout of MicroPython (default: what MICROPY_DIR names)",
            "arch": f"one of {', '.join(MPY_ARCHITECTURES)} (default: armv7emsp)",
            "only": "a package (.efm): leave out every operator and codec that it does not use",
            "out": "a folder (default: build/micropython/ARCH)"})
def mpy(context: Context, micropython: str = "", arch: str = "armv7emsp", only: str = "",
        out: str = "") -> None:
    """Build edgefm.mpy for MicroPython, which `mpremote mip install` puts on a device."""
    where = _required("mpy: --micropython", micropython or os.environ.get("MICROPY_DIR", ""),
                      "a checkout of MicroPython")
    options = {"only": only, "out": out}
    words = " ".join(f"--{name} {shlex.quote(word)}" for name, word in options.items() if word)
    _run(context, f"{PYTHON} -m host_tools.micropython.build {shlex.quote(where)} "
                  f"{shlex.quote(arch)} {words}")


@task(help={"board": f"one that runs, of {', '.join(BOARDS)} (default: all that run)"})
def stop(context: Context, board: str = "") -> None:
    """End the boards that this checkout has started."""
    words = f" --board {shlex.quote(board)}" if board else ""
    _run(context, f"{PYTHON} -m host_tools.boards.manage stop{words}")


MODEL = ".tflite, .onnx, .npz or .efm"
DEPLOY_HELP = {"model": f"required: {MODEL}",
               "board": "a board that runs, or a port, e.g. /dev/ttyACM0 (default: the only one "
               "there is)",
               "options": "further options of `edgefm deploy`, e.g. '--fast 96K --codec lossless'"}


@task(pre=[build], help=DEPLOY_HELP)
def deploy(context: Context, model: str = "", board: str = "", options: str = "") -> None:
    """Compile a model for a board and copy it there; its firmware stays."""
    file = shlex.quote(_required("deploy: --model", model, MODEL))
    _run(context, f"{_edgefm(board)} deploy {file} {options}")


@task(pre=[build], help={**DEPLOY_HELP, "input": "a picture or .npy file (default: noise)"})
def profile(context: Context, model: str = "", board: str = "", input: str = "",
            options: str = "") -> None:
    """Deploy a model and say what each of its stages takes on the board."""
    file = shlex.quote(_required("profile: --model", model, MODEL))
    name = shlex.quote(f":{Path(model).stem}.efm")
    _run(context, f"{_edgefm(board)} deploy {file} {name} {options} "
                  f"+ profile {name} {shlex.quote(input) if input else ''}")


def _edgefm(board: str) -> str:
    """The command line, connected to a board."""
    return f"{PYTHON} -m host_tools.cli" + (f" connect {shlex.quote(board)}" if board else "")
