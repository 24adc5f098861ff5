# SPDX-License-Identifier: Apache-2.0
"""`edgefm deploy --micropython` with a board that is a folder; the real one is in
tests/firmware/test_micropython.py."""

from pathlib import Path

import pytest

from host_tools.cli import main

GOOD = Path(__file__).resolve().parent.parent.parent / "golden" / "good"
PACKAGE = GOOD / "example.efm"


def deploy(*words: str) -> int:
    return main(["deploy", str(PACKAGE), *words, "--micropython", "P"])


def test_a_package_is_copied_and_its_hash_read_back(
        board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy() == 0
    assert (board / "example.efm").read_bytes() == PACKAGE.read_bytes()
    assert "SHA-256 read back" in capsys.readouterr().out
    assert deploy() == 0
    assert "is there already" in capsys.readouterr().out


def test_rom_is_written_as_a_whole(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy(":/rom/net.efm") == 0
    assert "SHA-256 read back" in capsys.readouterr().out
    assert deploy(":/rom/two.efm") == 2
    assert "/rom/ is written as a whole and holds 'net.efm'" in capsys.readouterr().err
    assert deploy(":/rom/two.efm", "--replace") == 0


@pytest.mark.parametrize("name", [":net.efm", ":/rom/net.efm"])
def test_what_did_not_arrive_is_an_error(board: Path, name: str,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    (board / "loses").touch()
    assert deploy(name) == 2
    assert f"P: mpremote said that it wrote {name[1:]}, but" in capsys.readouterr().err


def test_an_image_larger_than_the_partition_is_not_sent(
        board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = tmp_path / "large.efm"
    large.write_bytes(PACKAGE.read_bytes() + bytes(70_000))
    assert main(["deploy", str(large), ":/rom/net.efm", "--micropython", "P"]) == 2
    assert not (board / "rom.img").exists() and capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["net.efm", ":", ":/rom/", ":a\x1b"])
def test_other_names_are_refused(board: Path, name: str,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy(name) == 2
    said = capsys.readouterr().err
    assert "expected :NAME or :/rom/NAME" in said and "\x1b" not in said


def test_a_board_that_does_not_answer_is_one_line(board: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    (board / "silent").touch()
    assert deploy() == 2
    assert capsys.readouterr().err.startswith("edgefm: P: MicroPython did not answer")
