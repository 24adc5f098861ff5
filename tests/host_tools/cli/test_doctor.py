# SPDX-License-Identifier: Apache-2.0
"""`edgefm doctor` names what is missing with the line that mends it, and opens nothing."""

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from edgefm.errors import MissingTool
from host_tools.cli import doctor, main

Edgefm = Callable[..., Any]
HOSTILE = "\x1b[2Jboard"


def port(device: str) -> ListPortInfo:
    found = ListPortInfo(device)
    found.vid, found.pid, found.product = 0x1366, 0x0105, HOSTILE
    return found


def test_it_says_what_there_is_and_ends_with_a_sum(edgefm: Edgefm, edgefm_json: Edgefm) -> None:
    printed = edgefm("doctor")
    for title in doctor.CHECKS:
        assert f"\n{title}\n" in f"\n{printed}"
    assert printed.splitlines()[-1].endswith("are good; only what you need has to be")
    [runtime] = [one for one in edgefm_json("doctor")["this machine"] if one["what"] == "C runtime"]
    assert runtime["state"] == "good" and runtime["detail"] == "is built and loads"


def test_a_missing_program_comes_with_its_package(edgefm: Edgefm,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, *_: None)
    assert "qemu-system-arm: sudo apt-get install qemu-system-arm" in edgefm("doctor")


def test_a_port_that_may_not_be_opened_comes_with_its_udev_rule(
        edgefm: Edgefm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: [port("/dev/null"), port("/dev/ttyNONE")])
    printed = edgefm("doctor")
    assert ('/dev/ttyNONE: echo \'SUBSYSTEM=="tty", ATTRS{idVendor}=="1366", '
            'ATTRS{idProduct}=="0105", MODE="0660", TAG+="uaccess"\' | sudo tee -a') in printed
    assert "/dev/null: echo" not in printed and "\x1b" not in printed and "\\x1b[2Jboard" in printed


def test_a_broken_runtime_is_an_error_at_the_end(monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise MissingTool("the C runtime is not built")

    monkeypatch.setattr(doctor, "native", broken)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == (
        "edgefm: C runtime: the C runtime is not built; ./inv build\n")


def test_a_cache_that_cannot_be_written_is_said(edgefm: Edgefm,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "EDGEFM_CACHE" in edgefm("doctor")
