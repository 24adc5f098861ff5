# SPDX-License-Identifier: Apache-2.0
"""The boards of this checkout: each is a folder with a board.toml."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BOARDS = ROOT / "firmware" / "boards"


def boards() -> list[str]:
    """The names of all boards in the tree."""
    return sorted(path.parent.name for path in BOARDS.glob("*/board.toml"))
