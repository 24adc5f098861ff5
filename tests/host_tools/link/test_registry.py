# SPDX-License-Identifier: Apache-2.0
"""Files of running boards: written whole, read back, gone with their process."""

import json
import subprocess
from pathlib import Path

import pytest

from edgefm.errors import BadInput
from host_tools.link import registry
from host_tools.link.registry import Running, SharedMemory


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
    path = registry.announce(board)
    assert path.parent == boards
    assert registry.running() == [board]


def test_a_board_that_ended_is_forgotten_with_its_memory(boards, process):
    boards.mkdir()
    kept = boards.parent / "kept"
    for memory in (boards / "own", kept):
        memory.write_bytes(b"x")
        registry.announce(Running(memory.name, "u", process.pid, SharedMemory(memory, 0, 1)))
    process.kill()
    process.wait()
    assert registry.running() == []
    assert list(boards.iterdir()) == [] and kept.exists()


def test_stop_ends_the_process(boards, process):
    board = Running("sim", "u", process.pid)
    registry.announce(board)
    registry.stop(board)
    assert process.wait() != 0
    assert list(boards.iterdir()) == []
    registry.stop(board)  # gone already: nothing to do


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"board": "b", "url": "u", "pid": "x"}',
                                  json.dumps({"board": "b", "url": "u", "pid": 1, "memory": 3})])
def test_a_broken_file_is_named(boards, text):
    boards.mkdir()
    (boards / "b-1.json").write_text(text)
    with pytest.raises(BadInput, match="b-1.json"):
        registry.running()


def test_without_a_variable_it_is_the_users_own_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("EDGEFM_BOARDS", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert registry.folder() == next(Path(tmp_path).glob("edgefm-*")) / "boards"
