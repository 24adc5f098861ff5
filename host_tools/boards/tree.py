# SPDX-License-Identifier: Apache-2.0
"""The boards of this checkout, or of an installation: each is a folder with a board.toml."""

from __future__ import annotations

from pathlib import Path

from edgefm.zoo import cache_dir

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_INSTALLED = _CHECKOUT / "edgefm" / "runtime"  # where setup.py puts native/ and firmware/
IS_INSTALLED = (_INSTALLED / "firmware").is_dir()
ROOT = _INSTALLED if IS_INSTALLED else _CHECKOUT
BOARDS = ROOT / "firmware" / "boards"


def boards() -> list[str]:
    """The names of all boards in the tree."""
    return sorted(path.parent.name for path in BOARDS.glob("*/board.toml"))


def builds() -> Path:
    """Where firmware is built: in the checkout; of an installation in the user's cache folder."""
    return (cache_dir() if IS_INSTALLED else ROOT / "build") / "firmware"
