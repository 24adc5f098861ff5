# SPDX-License-Identifier: Apache-2.0
"""mpremote as a program: answers, failures, silence."""

import shutil
import sys
from pathlib import Path

import pytest

from edgefm.errors import LinkError, LinkTimeout, MissingTool
from host_tools.micropython import mpremote
from host_tools.micropython.mpremote import Mpremote


def test_a_script_answers_with_a_literal(board: Path) -> None:
    assert Mpremote("P").ask("answer = (given, 2 * 3)", given="a'b") == ("a'b", 6)


@pytest.mark.parametrize("said", ["", "edgefm-says:", "edgefm-says: open('x')", "hello\nworld"])
def test_other_answers_are_one_line_errors(board: Path, said: str) -> None:
    (board / "prints").write_text(said)
    with pytest.raises(LinkError, match=r"^P: "):
        Mpremote("P").ask("answer = 1")


def test_a_failure_is_its_last_line(board: Path) -> None:
    (board / "fails").touch()
    with pytest.raises(LinkError, match=r"^P: mpremote exec: failed to access /dev/ttyACM9"):
        Mpremote("P").ask("answer = 1")


def test_silence_ends(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpremote, "_SECONDS", 0.2)
    with pytest.raises(LinkTimeout, match=r"^P: mpremote exec took more than 0 seconds"):
        Mpremote("P").ask("import time; time.sleep(20); answer = 1")


def test_without_mpremote_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpremote", None)
    monkeypatch.setattr(mpremote.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingTool, match=r"pip install 'edgefm\[micropython\]'"):
        Mpremote("P")
