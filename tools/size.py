# SPDX-License-Identifier: Apache-2.0
"""Code, data and stack of the C runtime on a Cortex-M4 (-Os, everything on), against budgets.

Prints one line per file, the totals, what programs get of them, with the functions of libgcc that
they call, and the largest stack frames; exits with 1 above a budget.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linked import (
    COMPILER,
    FLAGS,
    MOBILENET_V2,
    ROOT,
    Build,
    all_but,
    link,
    sections,
    sources,
    switched_off,
)

KIB = 1024

# Budgets in bytes. A codec's file holds both directions.
CODEC, OPERATOR, EXECUTOR, EVERYTHING, DATA, FRAME = 4 * KIB, 2 * KIB, 6 * KIB, 64 * KIB, 0, 256
PROGRAMS = {"everything": EVERYTHING, "MobileNetV2's operators": 20 * KIB}
FRAMES = {"ops/conv.c:conv_run": 560,  # a list of 96 pointers, which may not lie in the arena
          "kernels/dsp/depthwise.c:make_planar": 528}  # filters of four channels, rows


@dataclass(frozen=True, slots=True)
class Size:
    """One object file: bytes of code and constants, of initialized and of zeroed memory."""

    name: str
    text: int
    data: int
    bss: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One function's stack frame in bytes; not `bounded` when only running it tells."""

    name: str
    bytes: int
    bounded: bool


def _target(source: Path, folder: Path) -> Path:
    return folder / (_name(source).replace("/", "_") + ".o")


def _name(source: Path) -> str:
    return str(source.relative_to(ROOT / "native" / "src"))


def measure(source: Path, folder: Path) -> tuple[Size, list[Frame]]:
    """Compile one file and read its sizes and its frames."""
    name, target = _name(source), _target(source, folder)
    built = subprocess.run([COMPILER, *FLAGS, f"-I{ROOT / 'native/include'}", "-c",
                            str(source), "-o", str(target)], check=False)
    if built.returncode:
        sys.exit(f"size: {name} does not compile")
    return Size(name, *sections(target)), list(_frames(target.with_suffix(".su"), name))


def _frames(usage: Path, name: str) -> Iterator[Frame]:
    for line in usage.read_text(encoding="utf-8").splitlines() if usage.is_file() else ():
        where, size, how = line.split("\t")
        yield Frame(f"{name}:{where.rpartition(':')[2]}", int(size),
                    how in ("static", "dynamic,bounded"))


def programs(folder: Path) -> dict[str, int]:
    """Bytes of the programs in PROGRAMS, after all files were measured."""
    some = Build(folder).linked(switched_off(all_but(MOBILENET_V2)))
    whole = link((_target(source, folder) for source in sources()), folder)
    return dict(zip(PROGRAMS, (whole, some), strict=True))


def complaints(sizes: list[Size], linked: dict[str, int], frames: list[Frame]) -> Iterator[str]:
    """One line for everything above its budget."""
    for size in sizes:
        folder, _, file = size.name.rpartition("/")
        budget = {"codecs": CODEC, "ops": OPERATOR}.get(folder, EVERYTHING)
        if size.text > budget:
            yield f"{file}: {size.text} bytes of code, budget {budget}"
    parts = re.compile(r"(model|check(_\w+)?|run)\.c")
    executor = sum(size.text for size in sizes if parts.fullmatch(size.name))
    totals = (("model + check + run", executor, EXECUTOR),
              ("all files", sum(size.text for size in sizes), EVERYTHING),
              *((f"{name}, linked", linked[name], PROGRAMS[name]) for name in PROGRAMS),
              (".data + .bss", sum(size.data + size.bss for size in sizes), DATA))
    for name, got, budget in totals:
        if got > budget:
            yield f"{name}: {got} bytes, budget {budget}"
    for frame in frames:
        most = FRAMES.get(frame.name, FRAME)
        if frame.bytes > most or not frame.bounded:
            yield f"{frame.name}: stack frame of {frame.bytes} bytes, budget {most}"


def main() -> int:
    """Measure, print, judge."""
    if shutil.which(COMPILER) is None:
        print("size: needs arm-none-eabi-gcc; ./inv setup installs it", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        measured = [measure(source, Path(folder)) for source in sources()]
        linked = programs(Path(folder))
    sizes = [size for size, _ in measured]
    frames = sorted((f for _, fs in measured for f in fs), key=lambda f: -f.bytes)
    print(f"{'file':<28}{'text':>8}{'data':>8}{'bss':>8}")
    total = Size("total", *(sum(getattr(size, key) for size in sizes)
                            for key in ("text", "data", "bss")))
    for size in [*sizes, total]:
        print(f"{size.name:<28}{size.text:>8}{size.data:>8}{size.bss:>8}")
    print("\nlinked, with what they need of libgcc (bytes)")
    for name, got in linked.items():
        print(f"{got:>6}  {name}, of {PROGRAMS[name]:,}")
    print("\nlargest stack frames (bytes)")
    for frame in frames[:5]:
        print(f"{frame.bytes:>6}  {frame.name}")
    wrong = list(complaints(sizes, linked, frames))
    for line in wrong:
        print("above budget:", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
