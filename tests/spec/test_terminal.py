# SPDX-License-Identifier: Apache-2.0
"""All text for the terminal passes edgefm/console/terminal.py."""

import ast
from pathlib import Path

RAW = ("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer.write", "sys.stderr.buffer.write")


def _prints(path: Path) -> bool:
    """Whether a file names print() or writes to a standard stream itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any((isinstance(node, ast.Name) and node.id == "print")
               or (isinstance(node, ast.Attribute) and ast.unparse(node) in RAW)
               for node in ast.walk(tree))


def test_nothing_else_prints(root: Path) -> None:
    found = [path.relative_to(root).as_posix() for folder in ("edgefm", "host_tools")
             for path in sorted((root / folder).rglob("*.py")) if _prints(path)]
    assert found == ["edgefm/console/terminal.py"]
