# SPDX-License-Identifier: Apache-2.0
"""Flashing with programs that only write down how they were called."""

import os
from pathlib import Path

import pytest
from program_file import elf

from edgefm.errors import BadInput, EdgefmError, MissingTool
from host_tools.boards import build, tree
from host_tools.boards.flash import STARTS, TOOLS, flash, missing


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "firmware.elf"
    path.write_bytes(elf([(1, 0x8000000, b"firmware")]))
    return path


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put programs of these names, and nothing else, on PATH; their calls are written down."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(*names, status=0):
        for name in names:
            path = folder / name
            path.write_text(f'#!/bin/sh\nprintf "%s|" "{name}" "$@" >>"{tmp_path}/calls"\n'
                            f'echo >>"{tmp_path}/calls"\necho "{name} says no" >&2\n'
                            f"exit {status}\n")
            path.chmod(0o755)
        return tmp_path / "calls"

    return make


def called(path):
    return [line.split("|")[:-1] for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("tool", "options", "to", "expected"), [
    ("pyocd", {"target": "stm32h743xx"}, None, ["pyocd", "load", "-t", "stm32h743xx", "ELF"]),
    ("pyocd", {"target": "nrf52840"}, "0123",
     ["pyocd", "load", "-t", "nrf52840", "-u", "0123", "ELF"]),
    ("openocd", {"files": ["interface/stlink.cfg", "target/stm32f4x.cfg"]}, None,
     ["openocd", "-f", "interface/stlink.cfg", "-f", "target/stm32f4x.cfg", "-c",
      "program {ELF} verify reset exit"]),
    ("dfu-util", {"device": "0483:df11"}, None,
     ["dfu-util", "-d", "0483:df11", "-a", "0", "-s", "0x08000000:leave", "-D", "BIN"])])
def test_the_tool_is_called_with_exactly_these_words(program, install, tool, options, to, expected):
    calls, said = install(tool), []
    flash("board", {tool: options}, program, to=to, say=said.append)
    expected = [word.replace("ELF", str(program)).replace("BIN", str(program.with_suffix(".bin")))
                for word in expected]
    assert called(calls) == [expected]
    assert len(said) == 1 and said[0].startswith(f"{tool} ")
    if tool == "dfu-util":
        assert program.with_suffix(".bin").read_bytes() == b"firmware"


def test_a_raspberry_pi_gets_program_and_unit_over_ssh(program, install, root):
    calls = install("scp", "ssh")
    flash("raspberry-pi", build.recipe("raspberry-pi").flash, program, to="pi@host", tool="ssh")
    copy, place = called(calls)
    unit = root / "firmware/boards/raspberry-pi/edgefm-board.service"
    assert copy == ["scp", str(program), str(unit), "pi@host:"]
    assert place[:2] == ["ssh", "pi@host"] and "restart edgefm-board.service" in place[2]


def test_ssh_needs_to_know_where(program, install):
    install("scp", "ssh")
    with pytest.raises(BadInput, match="--to USER@HOST"):
        flash("raspberry-pi", build.recipe("raspberry-pi").flash, program, tool="ssh")


def test_esptool_writes_the_image_to_the_front_of_flash(program, install, tmp_path):
    calls = install("esptool")
    flash("c3", {"esptool": {"chip": "esp32c3"}}, program, to="/dev/ttyACM0")
    assert called(calls) == [["esptool", "--chip", "esp32c3", "--port", "/dev/ttyACM0",
                              "write_flash", "0", str(program.with_suffix(".bin"))]]


def test_a_boot_drive_gets_a_uf2_file(program, install, tmp_path):
    calls = install("cp")
    flash("pico", {"uf2": {"family": 0xE48BFF59, "drive": "RP2350"}}, program, to=str(tmp_path))
    assert called(calls) == [["cp", str(program.with_suffix(".uf2")), str(tmp_path)]]
    assert program.with_suffix(".uf2").stat().st_size == 512


def test_without_its_drive_the_button_is_named(program, install):
    install("cp")
    with pytest.raises(EdgefmError, match="no drive NO-SUCH is mounted: hold .* BOOTSEL"):
        flash("pico", {"uf2": {"family": 1, "drive": "NO-SUCH"}}, program)


def test_the_first_tool_that_is_there_is_used(program, install):
    calls = install("dfu-util")
    flash("pyboard", build.recipe("pyboard").flash, program, say=lambda line: None)
    assert called(calls)[0][0] == "dfu-util"


@pytest.mark.parametrize("board", tree.boards())
def test_a_missing_tool_is_one_line_that_says_what_to_type(board, program, install, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(os.environ["PATH"]) / "empty"))
    tools = {name: options for name, options in build.recipe(board).flash.items()
             if missing(name, options)}
    if not tools:
        assert board == "sim"  # it is its own
        return
    with pytest.raises(MissingTool, match=f"^{board}: needs .*; type: (sudo|pip) ") as caught:
        flash(board, tools, program)
    assert "\n" not in str(caught.value)


def test_every_board_names_tools_that_exist():
    for board in tree.boards():
        made = build.recipe(board)
        assert made.flash and made.status and set(made.flash) <= {*TOOLS, *STARTS}, board


def test_a_tool_that_is_not_the_boards_is_refused(program):
    with pytest.raises(BadInput, match="cannot be flashed with 'ssh'; expected one of dfu"):
        flash("pyboard", build.recipe("pyboard").flash, program, tool="ssh")


def test_a_tool_that_fails_is_quoted(program, install):
    install("openocd", status=7)
    with pytest.raises(EdgefmError, match="board: openocd failed with 7: openocd says no"):
        flash("board", {"openocd": {"files": []}}, program, say=lambda line: None)
