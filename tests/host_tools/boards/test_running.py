# SPDX-License-Identifier: Apache-2.0
"""Files of running boards: written whole, read back, gone with their process."""

import json
import os
import subprocess

import pytest

from edgefm.errors import BadInput
from host_tools.boards import running
from host_tools.boards.running import Running
from host_tools.link.shared_memory import SharedMemory


@pytest.fixture
def boards(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "boards"))
    return tmp_path / "boards"


@pytest.fixture
def process():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as made:
        yield made
        made.kill()


def test_what_is_announced_is_found(boards, process):
    board = Running("sim", "socket://127.0.0.1:1", process.pid,
                    SharedMemory(boards / "memory", 16, 4096))
    path = running.announce(board)
    assert path.parent == boards
    assert running.running() == [board]


def test_a_board_that_ended_is_forgotten_with_its_memory(boards, process):
    boards.mkdir()
    kept = boards.parent / "kept"
    for memory in (boards / "own", kept):
        memory.write_bytes(b"x")
        running.announce(Running(memory.name, "u", process.pid, SharedMemory(memory, 0, 1)))
    process.kill()
    process.wait()
    assert running.running() == []
    assert list(boards.iterdir()) == [] and kept.exists()


def test_stop_ends_the_process(boards, process):
    board = Running("sim", "u", process.pid)
    running.announce(board)
    running.stop(board)
    assert process.wait() != 0
    assert list(boards.iterdir()) == []
    running.stop(board)  # gone already: nothing to do


def test_a_board_of_another_checkout_is_not_there_and_not_ended(tmp_path, monkeypatch, process):
    board = Running("sim", "u", process.pid)
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "theirs"))
    running.announce(board)
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "ours"))
    assert running.running() == []
    running.stop(board)
    assert process.poll() is None
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "theirs"))
    assert running.running() == [board]


def entry(**changed):
    return json.dumps({"board": "b", "url": "u", "pid": 7, "started": 1, **changed})


def test_a_process_that_got_the_number_of_a_board_is_not_the_board(boards, process):
    path = running.announce(Running("sim", "u", process.pid))
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "started": said["started"] - 1}))
    running.stop(Running("sim", "u", process.pid))
    assert process.poll() is None and not path.exists()
    path.write_text(json.dumps({**said, "started": None}))
    assert running.running() == [] and not path.exists()


def test_another_users_process_is_not_a_board(boards, monkeypatch):
    boards.mkdir()
    (boards / "b-1.json").write_text(entry(pid=1))

    def refuse(pid, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert running.running() == [] and list(boards.iterdir()) == []


@pytest.mark.parametrize("text", [
    "", "[]", "{}", "[" * 9000, "\xff", '{"board": "b", "url": "u", "pid": 7}', entry(pid="x"),
    entry(pid=-1), entry(pid=0), entry(pid=True), entry(pid=2 ** 40), entry(pid=8),
    entry(board="c"), entry(board="../b"), entry(url="\x1b[2J"), entry(url=3), entry(started="1"),
    entry(memory=3), entry(memory={"path": "/m", "offset": -1, "bytes": 1}),
    entry(memory={"path": 3, "offset": 0, "bytes": 1}), entry(more="x" * 20_000)],
    ids=lambda text: text[:60])
def test_a_forged_file_is_named_and_ends_nothing(boards, text, monkeypatch):
    boards.mkdir()
    (boards / "b-7.json").write_text(text, encoding="latin-1")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a process was signaled"))
    with pytest.raises(BadInput, match=r"b-7\.json: .* remove it") as caught:
        running.running()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir],
                         ids=["pipe", "link", "folder"])
def test_what_is_no_file_is_not_read(boards, make):
    boards.mkdir()
    make(boards / "b-7.json")
    with pytest.raises(BadInput, match=r"b-7\.json: "):
        running.running()
