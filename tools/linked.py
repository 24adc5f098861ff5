# SPDX-License-Identifier: Apache-2.0
"""The runtime for a Cortex-M4 (-Os), with any switches, as a program gets it: unused sections are
gone, what the compiler calls from its own library (libgcc) is there, memcpy and memset are not."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILER, SIZE = "arm-none-eabi-gcc", "arm-none-eabi-size"
FLAGS = ("-std=c11", "-Os", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-ffunction-sections",
         "-fdata-sections", "-fstack-usage", "-DNDEBUG")
ROOTS = ("efm_run", "efm_model_open")
MOBILENET_V2 = frozenset({"VIEW", "CONV", "DEPTHWISE", "ADD", "MEAN", "SOFTMAX"})
EXECUTOR = ("CAPS", "TILES", "WEIGHT_CODES", "WEIGHT_PORT")  # switches of config.h

Defines = Mapping[str, int]


def sources() -> list[Path]:
    """Every C file of the runtime."""
    return sorted((ROOT / "native" / "src").rglob("*.c"))


def sections(target: Path) -> tuple[int, int, int]:
    """Bytes of text, data and bss of an object or a program."""
    printed = subprocess.run([SIZE, str(target)], check=True, text=True,
                             capture_output=True).stdout
    text, data, bss = (int(word) for word in printed.splitlines()[1].split()[:3])
    return text, data, bss


def listed(name: str) -> tuple[str, ...]:
    """The names in native/src/NAME/list.h, in its order."""
    text = (ROOT / f"native/src/{name}/list.h").read_text(encoding="utf-8")
    return tuple(re.findall(r"X\(\d+, (\w+), ", text))


def link(objects: Iterable[Path], folder: Path) -> int:
    """Bytes of code and constants of a program that has the runtime's objects."""
    program = folder / "linked.elf"
    roots = [f"-Wl,-u,{name}" for name in ROOTS]
    _run("-nostdlib", "-Wl,--gc-sections", f"-Wl,-e,{ROOTS[0]}", *roots,
         "-Wl,--unresolved-symbols=ignore-all", "-mcpu=cortex-m4", "-mthumb",
         *map(str, objects), "-lgcc", "-o", str(program))
    return sections(program)[0]


def _run(*words: str) -> str:
    return subprocess.run([COMPILER, *words], check=True, text=True, capture_output=True).stdout


class Build:
    """The runtime for a Cortex-M4 with any switches; a file is compiled again where they show."""

    def __init__(self, folder: Path, *flags: str) -> None:
        """`flags` are options of the compiler besides those of the size budgets."""
        self._folder = folder
        self._flags = flags

    def linked(self, defines: Defines) -> int:
        """Bytes of code and constants that a program gets."""
        return link([self._object(source, defines) for source in sources()], self._folder)

    def _object(self, source: Path, defines: Defines) -> Path:
        """A file's object, by what the preprocessor makes of it."""
        options = [*FLAGS, *self._flags, f"-I{ROOT / 'native/include'}",
                   *(f"-DEFM_{name}={value}" for name, value in defines.items())]
        text = _run(*options, "-E", "-P", str(source))
        digest = hashlib.sha256(f"{source}\n{self._flags}\n{text}".encode()).hexdigest()
        target = self._folder / f"{digest}.o"
        if not target.exists():
            _run(*options, "-c", str(source), "-o", str(target))
        return target


def all_but(operators: frozenset[str]) -> tuple[str, ...]:
    """Names of all switches but those of these operators."""
    return tuple(sorted({*listed("ops"), *listed("codecs"), *EXECUTOR} - operators))


def switched_off(names: tuple[str, ...]) -> Defines:
    """What turns the switches of these names off."""
    return {f"WITH_{name}": 0 for name in names}
