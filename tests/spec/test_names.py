# SPDX-License-Identifier: Apache-2.0
"""One name, one meaning: no two modules have a public class of the same name."""

import ast
from collections import defaultdict
from pathlib import Path

CODECS = "each codec has its own and is used as a module: context.State, tans.State"
ALLOWED = {
    "Call": "an operator's node with what it is called with: NumPy arrays, or ONNX names",
    "State": CODECS,
    "Tables": CODECS,
}


def _homes(root: Path) -> dict[str, set[str]]:
    """The modules that define each public class."""
    homes = defaultdict(set)
    for room in ("edgefm", "host_tools"):
        for path in (root / room).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes[node.name].add(path.relative_to(root).as_posix())
    return homes


def test_public_classes_have_names_of_their_own(root: Path) -> None:
    shared = {name: sorted(where) for name, where in _homes(root).items() if len(where) > 1}
    assert {name: where for name, where in shared.items() if name not in ALLOWED} == {}
    assert ALLOWED.keys() == shared.keys(), "an exception that is not needed any more"


def test_only_codecs_share_the_names_of_codecs(root: Path) -> None:
    homes = _homes(root)
    assert all(where.startswith("edgefm/codecs/") for name, why in ALLOWED.items()
               if why == CODECS for where in homes[name])
