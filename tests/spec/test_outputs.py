# SPDX-License-Identifier: Apache-2.0
"""Every file that the tools write passes edgefm/files/write.py; what may not is listed here."""

import ast
from collections.abc import Iterator
from pathlib import Path

WRITERS = {"write_bytes", "write_text", "savez", "savez_compressed", "tofile"}
ALLOWED = {
    "edgefm/console/command.py",                     # nothing, where a standard stream was closed
    "edgefm/zoo.py",                         # a download that goes on where it ended
    "host_tools/recording/writer.py",        # grows while it is read
    "host_tools/recording/recorder.py",      # a lock, without content
    "host_tools/link/store.py",              # a board's memory, shared with it
}


def _writes(path: Path) -> Iterator[int]:
    """Lines that open a file to write it or that hand a path to a function that does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(
            node.func, "id", "")
        words = [one.value for argument in node.args for one in ast.walk(argument)
                 if isinstance(one, ast.Constant)]
        opened = name == "open" and any(isinstance(word, str) and len(word) <= 3
                                        and set("wxa+") & set(word) for word in words)
        into_file = node.args and isinstance(node.args[0], ast.Name) and node.args[0].id == "file"
        if opened or (name in WRITERS and not into_file):
            yield node.lineno


def test_only_one_module_writes_files(root: Path) -> None:
    wrong = []
    for folder in ("edgefm", "host_tools"):
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name not in ALLOWED:
                wrong += [f"{name}:{line}" for line in _writes(path)]
    assert not wrong


def test_what_is_allowed_is_needed(root: Path) -> None:
    assert [name for name in ALLOWED if not list(_writes(root / name))] == []
