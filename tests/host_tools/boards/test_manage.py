# SPDX-License-Identifier: Apache-2.0
"""./inv boards, flash and stop."""

import pytest

from host_tools.boards import build, manage, running, tree


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path))
    yield tmp_path
    for board in running.running():
        running.stop(board)


def test_every_board_is_listed_with_what_it_lacks(folder, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(folder))
    assert manage.main(["list"]) == 0
    printed = capsys.readouterr().out
    for name in tree.boards():
        assert f"{name} " in printed
    assert "lacks qemu: sudo apt-get install qemu-system-arm" in printed
    assert "lacks arm-none-eabi-gcc: sudo apt-get install gcc-arm-none-eabi" in printed


def test_boards_that_were_never_run_are_named(folder, capsys):
    assert manage.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {what: set(names.split(", ")) for line in lines
            for what, _, names in [line.partition(": ")] if line.startswith("never run on ")}
    nowhere = told["never run on hardware or an emulator"]
    emulated = told["never run on hardware, but on an emulator"]
    assert {"esp32-c3", "pico2"} <= nowhere and {"pico", "microbit", "raspberry-pi"} <= emulated
    assert not {name for name in nowhere | emulated if name.startswith("qemu-")} | (
        nowhere & emulated)


def test_a_board_is_started_listed_and_stopped(folder, need, capsys):
    need("cc")
    assert manage.main(["flash", "--board", "sim"]) == 0
    command, said = capsys.readouterr().out.splitlines()
    assert "--tcp 0" in command and said.startswith("sim runs ") and "socket://" in said
    board, = running.running()
    assert manage.main(["list"]) == 0
    assert f"running: sim at {board.url}, process {board.pid}" in capsys.readouterr().out
    assert manage.main(["stop", "--board", "sim"]) == 0
    assert running.running() == [] and list(folder.iterdir()) == []


@pytest.mark.parametrize("words", [["flash", "--board", "no-such"], ["stop", "--board", "sim"],
                                   ["flash", "--board", "sim", "--tool", "ssh"],
                                   ["flash", "--board", "sim", "--only", "no-such.efm"]])
def test_an_error_is_one_line_and_status_2(folder, words, capsys):
    assert manage.main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("boards: ")
    assert len(printed.err.splitlines()) == 1


def test_stop_leaves_the_boards_of_another_checkout(folder, tmp_path, need, monkeypatch, capsys):
    need("cc")
    assert manage.main(["flash", "--board", "sim"]) == 0
    theirs = running.running()
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "another"))
    capsys.readouterr()
    assert manage.main(["list"]) == manage.main(["stop"]) == 0
    printed = capsys.readouterr().out
    assert "running:" not in printed and printed.endswith("no board of this checkout runs\n")
    monkeypatch.setenv("EDGEFM_BOARDS", str(folder))
    assert running.running() == theirs


def test_without_firmware_there_is_nothing_to_flash(folder, monkeypatch, capsys):
    monkeypatch.setattr(build, "BOARDS", folder / "no-such")
    assert manage.main(["flash", "--board", "sim"]) == 2
    assert "this installation of edgefm is without firmware" in capsys.readouterr().err
