# SPDX-License-Identifier: Apache-2.0
"""Check the C files against .clang-format, or bring them into that form with --apply."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("native", "firmware", "tests", "benchmarks")


def files() -> list[Path]:
    """Every C file of the project; `cdef.h` is cffi's and stands outside these folders."""
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.[ch]"))


def main(arguments: list[str]) -> int:
    """Run clang-format of this environment; its exit status."""
    how = ["-i"] if arguments == ["--apply"] else ["--dry-run", "--Werror"]
    command = [str(Path(sys.executable).with_name("clang-format")), *how]
    return subprocess.run([*command, *map(str, files())], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
