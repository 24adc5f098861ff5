# SPDX-License-Identifier: Apache-2.0
"""A board that a stand-in for mpremote serves."""

import sys
from pathlib import Path

import pytest

from host_tools.micropython import mpremote

FAKE = Path(__file__).resolve().parent.parent.parent / "support" / "fake_mpremote.py"


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is the board's filesystem."""
    folder = tmp_path / "board"
    folder.mkdir()
    monkeypatch.setattr(mpremote, "_program", lambda: (sys.executable, str(FAKE), str(folder)))
    return folder
