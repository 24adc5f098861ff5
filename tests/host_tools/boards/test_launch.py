# SPDX-License-Identifier: Apache-2.0
"""Starting boards, with an emulator that only writes down how it was called."""

import subprocess

import pytest

from edgefm.errors import EdgefmError, MissingTool
from host_tools.boards import running
from host_tools.boards.launch import start_process, start_qemu

OPTIONS = {"machine": "mps2-an386", "icount": 7, "memory_bytes": 64, "external_bytes": 32}
WITH_PID_FILE = """
while [ $# -gt 0 ]; do
  case $1 in -pidfile) echo "$EDGEFM_TEST_PID" >"$2";; esac
  shift
done
"""


@pytest.fixture
def boards(tmp_path, monkeypatch):
    """The folder of running boards, and of the programs that there are."""
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path / "boards"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


@pytest.fixture
def process(monkeypatch):
    with subprocess.Popen(["/bin/sh", "-c", "read x"], stdin=subprocess.PIPE) as made:
        monkeypatch.setenv("EDGEFM_TEST_PID", str(made.pid))
        yield made
        made.kill()


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


def test_qemu_is_started_with_the_command_that_is_told(boards, process, tmp_path):
    program(tmp_path / "bin/qemu-system-arm", f'echo "qemu-system-arm $*" >"{tmp_path}/call"\n'
            + WITH_PID_FILE)
    said = []
    board = start_qemu("b", OPTIONS, tmp_path / "firmware.elf", said.append)
    port = board.url.removeprefix("socket://127.0.0.1:")
    folder = tmp_path / "boards"
    assert said == [
        "qemu-system-arm -M mps2-an386,memory-backend=shared -object memory-backend-file,"
        f"id=shared,size=64,mem-path={folder}/b-{port}.memory,share=on -display none -monitor none "
        f"-icount shift=7 -serial tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on -daemonize "
        f"-pidfile {folder}/b-{port}.pid -kernel {tmp_path}/firmware.elf"]
    assert (tmp_path / "call").read_text() == said[0] + "\n"
    assert board.pid == process.pid and running.running() == [board]
    assert board.memory is not None and (board.memory.offset, board.memory.bytes) == (0, 32)


def test_a_machine_without_shared_memory_says_so(boards, process, tmp_path):
    program(tmp_path / "bin/qemu-system-arm", WITH_PID_FILE)
    said = []
    board = start_qemu("b", {"machine": "m", "icount": 0}, tmp_path / "f.elf", said.append)
    assert board.memory is None and "memory-backend" not in said[0]


def test_a_board_of_another_kind_names_its_emulator_and_where_its_memory_begins(boards, process,
                                                                                tmp_path):
    options = {**OPTIONS, "emulator": "qemu-system-riscv32", "external_offset": 16,
               "more": ["-bios", "none"]}
    with pytest.raises(MissingTool, match="apt-get install qemu-system-misc"):
        start_qemu("b", options, tmp_path / "f.elf")
    program(tmp_path / "bin/qemu-system-riscv32", WITH_PID_FILE)
    said = []
    board = start_qemu("b", options, tmp_path / "f.elf", said.append)
    assert said[0].startswith("qemu-system-riscv32 -M ") and " -bios none " in said[0]
    assert board.memory is not None and (board.memory.offset, board.memory.bytes) == (16, 32)


def test_qemu_that_does_not_start_is_quoted_and_leaves_nothing(boards, tmp_path):
    program(tmp_path / "bin/qemu-system-arm", "echo 'no such machine' >&2; exit 1")
    with pytest.raises(EdgefmError, match="b: QEMU does not start: no such machine"):
        start_qemu("b", OPTIONS, tmp_path / "f.elf")
    assert list((tmp_path / "boards").iterdir()) == [] and running.running() == []


def test_without_an_emulator_its_package_is_named(boards, tmp_path):
    with pytest.raises(MissingTool, match="apt-get install qemu-system-arm"):
        start_qemu("b", OPTIONS, tmp_path / "f.elf")
    with pytest.raises(MissingTool, match="apt-get install qemu-user"):
        start_process("b", {"runner": ["qemu-arm"], "memory_bytes": 1}, tmp_path / "f.elf")


def test_a_process_says_where_it_listens(boards, tmp_path):
    made = program(tmp_path / "board", 'echo "socket://127.0.0.1:$2-$6"\nread x </dev/zero\n')
    said = []
    board = start_process("b", {"memory_bytes": 4096}, made, said.append)
    assert board.url == "socket://127.0.0.1:0-4096" and running.running() == [board]
    assert said == [f"{made} --tcp 0 --external {board.memory.path} --external-bytes 4096"]
    running.stop(board)
    assert running.running() == []


@pytest.mark.parametrize(("text", "reason"), [
    ("echo 'port taken' >&2; exit 2", "port taken"), ("exit 0", "it says nothing")])
def test_a_process_that_ends_at_once_is_quoted(boards, tmp_path, text, reason):
    made = program(tmp_path / "board", text)
    with pytest.raises(EdgefmError, match=f"b: does not start: {reason}"):
        start_process("b", {"memory_bytes": 1}, made)
    assert running.running() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_board_that_nobody_could_find_is_ended(boards, process, tmp_path, monkeypatch, error):
    def announce(board):
        raise error

    monkeypatch.setattr(running, "announce", announce)
    program(tmp_path / "bin/qemu-system-arm", WITH_PID_FILE)
    with pytest.raises(error):
        start_qemu("b", OPTIONS, tmp_path / "firmware.elf")
    assert process.wait(5) < 0
