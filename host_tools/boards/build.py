# SPDX-License-Identifier: Apache-2.0
"""Compiles a board's firmware; firmware/boards/<name>/board.toml names the compiler and the files.

Programs are kept in build/firmware/, or in the user's cache folder where edgefm is installed, by
the SHA-256 of their sources and options. Its first eight bytes are the build id that the device
reports.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any

from edgefm.errors import BadInput, MissingTool
from host_tools.boards.tree import BOARDS, ROOT, boards, builds

INCLUDES = ("native/include", "firmware/common")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
PACKAGES = {"cc": "gcc", "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
            "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
            "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
            "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"}
ALWAYS = ("-std=c11", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections",
          *WARNINGS)
HOT = ("native/src/kernels", "native/src/ops",
       *(f"native/src/codecs/{name}.c" for name in ("context", "rice", "tans", "zvc")))
# Of the hot folders, what runs once per inference.
ONCE = tuple(f"native/src/ops/{name}.c" for name in ("detection", "real", "scores"))


@dataclass(frozen=True, slots=True)
class BoardRecipe:
    """What a board.toml says. Folders and `script` are relative to the board's folder.

    `like` names a file with what boards of a family share; what the board says itself wins.
    """

    name: str
    description: str
    compiler: str
    flags: tuple[str, ...] = ()
    cold: tuple[str, ...] = ()  # after them, for all but operators, kernels and usual codecs
    hot: tuple[str, ...] = HOT
    link: tuple[str, ...] = ()
    folders: tuple[str, ...] = (".",)
    script: str = ""
    main: bool = True  # firmware/common/main.c is its main()
    defines: Mapping[str, Any] = field(default_factory=dict)
    status: str = ""   # what was tried, in words
    tried: tuple[str, ...] = ()  # on what this firmware has run: "hardware", "emulator"
    flash: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by tool, best first


def recipe(board: str) -> BoardRecipe:
    """A board's recipe. Raises BadInput for an unknown board or an unknown key."""
    if not BOARDS.is_dir():
        raise BadInput(f"board {board!r}: this installation of edgefm is without firmware; "
                       f"expected it in {BOARDS}")
    if board not in boards():
        raise BadInput(f"board {board!r} is not known; expected one of {', '.join(boards())}")
    path = BOARDS / board / "board.toml"
    said = _said(path)
    unknown = sorted(set(said) - {name for name in BoardRecipe.__slots__ if name != "name"})
    if unknown:
        raise BadInput(f"{path}: unknown key {unknown[0]!r}")
    lists = {key: tuple(value) for key, value in said.items() if isinstance(value, list)}
    return BoardRecipe(board, **{**said, **lists})


def _said(path: Path) -> dict[str, Any]:
    """A file's keys, over those of the file that it is `like`."""
    said = tomllib.loads(path.read_text(encoding="utf-8"))
    family = said.pop("like", None)
    return said if family is None else _over(_said(path.parent / family), said)


def _over(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Both, tables merged; of other values the higher one."""
    return {**low, **{key: _over(low[key], value) if isinstance(value, dict) and key in low
                      else value for key, value in high.items()}}


def missing(made: BoardRecipe) -> str | None:
    """The command that installs the compiler of a board; None: nothing is missing."""
    if shutil.which(made.compiler) is not None:
        return None
    return f"sudo apt-get install {PACKAGES.get(made.compiler, made.compiler)}"


def sources(made: BoardRecipe) -> list[Path]:
    """The C and assembly files of a board's firmware."""
    common = [path for path in (ROOT / "firmware/common").glob("*.c")
              if made.main or path.name != "main.c"]
    own = [path for folder in made.folders for pattern in ("*.c", "*.S")
           for path in (BOARDS / made.name / folder).resolve().glob(pattern)]
    return sorted({*(ROOT / "native/src").rglob("*.c"), *common, *own})


def build(board: str, defines: Mapping[str, Any] | None = None,
          flags: Sequence[str] = (), small: bool = False) -> Path:
    """The firmware's program, compiled if it does not exist yet.

    `defines` are further -D options (`{"EFM_WITH_EBPC": 0}`), `flags` any others;
    `small` compiles everything but kernels like the recipe's cold code. Raises BadInput with the
    compiler's first complaint, MissingTool without a compiler.
    """
    made = recipe(board)
    made = replace(made, flags=(*made.flags, *flags), hot=HOT[:1] if small else HOT)
    options = {**made.defines, **(defines or {})}
    digest = _digest(made, options)
    target = builds() / board / digest[:16] / "firmware.elf"
    if not target.exists():
        _compile(made, {**options, "EFM_BUILD_ID": f"0x{digest[:16]}u"}, target)
    return target


def compile_command(made: BoardRecipe, defines: Mapping[str, Any], source: Path,
                    target: Path) -> list[str]:
    """The command that compiles one file."""
    folders = [*(str(ROOT / path) for path in INCLUDES), *_folders(made)]
    hot = (any(source.is_relative_to(ROOT / path) for path in made.hot)
           and not any(source.is_relative_to(ROOT / path) for path in ONCE))
    return [made.compiler, *ALWAYS, *made.flags, *(() if hot else made.cold),
            *(f"-D{name}={value}" for name, value in sorted(defines.items())),
            *(f"-I{folder}" for folder in folders), "-c", str(source), "-o", str(target)]


def link_command(made: BoardRecipe, objects: Sequence[Path], target: Path) -> list[str]:
    """The command that links the firmware."""
    script = ["-T", str(BOARDS / made.name / made.script)] if made.script else []
    return [made.compiler, *made.flags, "-Wl,--gc-sections",
            *(f"-L{folder}" for folder in _folders(made)), *map(str, objects), *script,
            *made.link, "-o", str(target)]


def _folders(made: BoardRecipe) -> list[str]:
    return [str((BOARDS / made.name / folder).resolve()) for folder in made.folders]


def _digest(made: BoardRecipe, defines: Mapping[str, Any]) -> str:
    """SHA-256 of everything that the program depends on, in hex."""
    digest = hashlib.sha256(repr((made.compiler, made.flags, made.cold, made.hot, ONCE, made.link,
                                  ALWAYS, sorted(defines.items()))).encode())
    folders = {path.parent for path in sources(made)}
    extra = [ROOT / path for path in INCLUDES] + [BOARDS / made.name]
    texts = {path for folder in {*folders, *extra} for pattern in ("*.h", "*.ld")
             for path in folder.glob(pattern)}
    texts |= {*sources(made), *(ROOT / "native/src").rglob("*.h")}
    for path in sorted(texts):
        digest.update(f"{os.path.relpath(path, ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _compile(made: BoardRecipe, defines: Mapping[str, Any], target: Path) -> None:
    line = missing(made)
    if line is not None:
        raise MissingTool(f"{made.name}: the compiler {made.compiler} is not installed; type: "
                          f"{line}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh, files = Path(folder) / target.name, sources(made)
        objects = [Path(folder) / f"{number}.o" for number in range(len(files))]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            lines = (compile_command(made, defines, *pair)
                     for pair in zip(files, objects, strict=True))
            list(pool.map(_call, lines, repeat(made.name)))
        _call(link_command(made, objects, fresh), made.name)
        os.replace(fresh, target)  # two builds at once do not see each other's halves


def _call(line: Sequence[str], board: str) -> None:
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        errors = [text for text in done.stderr.splitlines() if "error" in text] or ["no reason"]
        raise BadInput(f"{board}: the firmware does not compile: {errors[0]}")
