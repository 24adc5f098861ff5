# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while a board runs: the command ends, its own board too, any other is usable again."""

import json
import os
import signal
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from interrupting import MOST_SECONDS, Ended, await_that, interrupted, runs
from sim_board import listening

from host_tools.boards.build import build
from host_tools.recording import Recording

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
LONG = ("--repeat", "60000")


def _edgefm(*words: object, number: int = signal.SIGINT, group: bool = True,
            ready: str = "read back", after: float = 0.5) -> Ended:
    """Interrupt the command some time after it has printed that it is ready."""
    seen: list[float] = []

    def is_ready(printed: str) -> bool:
        if ready in printed and not seen:
            seen.append(time.monotonic())
        return bool(seen) and time.monotonic() > seen[0] + after

    return interrupted(["-m", "host_tools.cli", *words], is_ready, number, group)


@pytest.fixture
def own(tmp_path: Path, need) -> tuple[str, Path]:
    """The line of a board that is a process of the command, and the file that gets its number."""
    need("gcc")
    script, pid = tmp_path / "board", tmp_path / "pid"
    script.write_text(f"#!/bin/sh\necho $$ >{pid}\nexec {build('sim')} --external-bytes 65536\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"exec:{script}", pid


@pytest.fixture
def other(need):
    """The URL of a board that runs by itself."""
    need("gcc")
    with listening(build("sim"), "--external-bytes", 65536) as (_, url):
        yield url


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    path = tmp_path / "noise.npy"
    np.save(path, np.random.default_rng(1).integers(0, 256, (1, 16, 16, 3), np.uint8))
    return path


def _is_over(ended: Ended, status: int = 130, line: str = "edgefm: interrupted\n") -> None:
    assert (ended.status, ended.err) == (status, line)
    assert ended.seconds < MOST_SECONDS


@pytest.mark.parametrize("group", [True, False], ids=["group", "alone"])
@pytest.mark.parametrize(("number", "status", "line"), [
    (signal.SIGINT, 130, "edgefm: interrupted\n"),
    (signal.SIGTERM, 143, "edgefm: ended by SIGTERM\n")])
def test_a_board_of_its_own_ends_with_the_command(own, package, noise, group, number, status, line):
    url, pid = own
    _is_over(_edgefm("connect", url, "+", "cp", package, ":net.efm", "+", "run", ":net.efm", noise,
                     *LONG, number=number, group=group), status, line)
    await_that(lambda: not runs(int(pid.read_text())), MOST_SECONDS)


def test_a_board_that_runs_by_itself_is_usable_at_once(other, package, noise, edgefm_json):
    _is_over(_edgefm("connect", other, "+", "cp", package, ":net.efm", "+", "run", ":net.efm",
                     noise, *LONG))
    start = time.monotonic()
    assert edgefm_json("connect", other, "run", ":net.efm", noise)["board"] == "sim"
    assert time.monotonic() - start < 5


def test_a_recording_that_is_interrupted_is_closed(other, package, noise, tmp_path):
    _is_over(_edgefm("connect", other, "+", "cp", package, ":net.efm", "+", "record", "--meter",
                     "none", "-o", tmp_path / "run", "--", "run", ":net.efm", noise, *LONG,
                     after=1.5))
    with Recording(tmp_path / "run") as recording:
        assert recording.meta["state"] == "stopped by KeyboardInterrupt"
        assert recording.events["device"].count > 0


def test_the_monitor_ends_as_it_is_meant_to(other, package, noise, tmp_path):
    ended = _edgefm("connect", other, "+", "cp", package, ":net.efm", "+", "monitor",
                    "--no-browser", "--meter", "none", "-o", tmp_path / "run", "--", "run",
                    ":net.efm", noise, "--repeat", "0", ready="(Ctrl-C ends)", after=1.5)
    assert (ended.status, ended.err) == (0, "") and ended.seconds < MOST_SECONDS
    assert json.loads((tmp_path / "run" / "meta.json").read_text())["state"] == "complete"


@pytest.mark.parametrize("trap", ["", "TERM"])
def test_a_board_that_says_nothing_and_ends_for_nobody_is_ended(tmp_path, trap):
    script, pid = tmp_path / "board", tmp_path / "pid"
    script.write_text(f"#!/bin/bash\ntrap '' {trap}\necho $$ >{pid}\nexec -a board sleep 60\n"
                      if trap else f"#!/bin/bash\necho $$ >{pid}\nexec sleep 60\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    words = ["-m", "host_tools.cli", "connect", f"exec:{script}", "ls"]
    _is_over(interrupted(words, lambda printed: pid.exists() and bool(pid.read_text())))
    await_that(lambda: not runs(int(pid.read_text())), MOST_SECONDS)
