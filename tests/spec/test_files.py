# SPDX-License-Identifier: Apache-2.0
"""Every file says its license, and none of them names a machine."""

import re
from collections.abc import Iterator
from pathlib import Path

SKIPPED = {".git", ".venv", "build", "dist", "__pycache__", "demo-output", ".hypothesis"}
CODE = {".py", ".c", ".h", ".toml", ".ld", ".s", ".S", ".sh"}
TEXT = CODE | {".md", ".in", ".json", ".csv", ".txt", ""}
MACHINE = re.compile(r"(^|[^\w.])/(?:home|root|work|Users|farm)/[a-z]", re.MULTILINE)


def _files(root: Path, suffixes: set[str]) -> Iterator[Path]:
    folders = [root]
    while folders:
        for path in folders.pop().iterdir():
            skipped = path.name in SKIPPED or path.name.endswith(("_cache", ".egg-info"))
            if skipped:  # .git is a file where the checkout is a worktree
                continue
            if path.is_dir():
                folders.append(path)
            elif path.is_file() and path.suffix in suffixes and not _generated(path):
                yield path


def _generated(path: Path) -> bool:
    return path.parent.name == "runtime" and path.name.startswith("_native")


def test_every_code_file_says_its_license_once(root: Path) -> None:
    wrong = []
    for path in _files(root, CODE):
        first = path.read_text(encoding="utf-8").splitlines()[:2]
        if sum("SPDX-License-Identifier: Apache-2.0" in line for line in first) != 1:
            wrong.append(str(path.relative_to(root)))
    assert not wrong


def test_no_file_names_a_machine(root: Path) -> None:
    wrong = []
    for path in _files(root, TEXT):
        text = path.read_bytes().decode("utf-8", "replace")
        wrong += [f"{path.relative_to(root)}: {match.group(0)!r}"
                  for match in MACHINE.finditer(text)]
    assert not wrong


def test_tests_have_no_init_files(root: Path) -> None:
    assert not list((root / "tests").rglob("__init__.py"))
