# SPDX-License-Identifier: Apache-2.0
"""Starts boards that are processes: QEMU with the firmware, or the firmware itself.

A started board runs in the background until `running.stop()`.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgefm.console.processes import deaf, start
from edgefm.errors import EdgefmError, MissingTool
from host_tools.boards import registry, running
from host_tools.boards.running import Running
from host_tools.link.shared_memory import SharedMemory

TRIES = 3                # ports that others take between our look and QEMU's
START_SECONDS = 10.0
EMULATORS = {"qemu-system-arm": "qemu-system-arm",  # Debian's packages
             "qemu-system-riscv32": "qemu-system-misc"}
Say = Callable[[str], None]


def qemu_command(options: Mapping[str, Any], program: Path, port: int, memory: Path,
                 pid: Path) -> list[str]:
    """The command that starts QEMU with a board's firmware, its UART at a TCP port.

    `options`: machine, icount (the shift), memory_bytes if memory is shared, emulator if it is not
    Arm's, and `more` arguments for QEMU.
    """
    machine, share = str(options["machine"]), []
    if "memory_bytes" in options:
        machine += ",memory-backend=shared"
        share = ["-object", f"memory-backend-file,id=shared,size={options['memory_bytes']},"
                            f"mem-path={memory},share=on"]
    return [emulator_of(options), "-M", machine, *share, "-display", "none", "-monitor", "none",
            "-icount", f"shift={options['icount']}",
            "-serial", f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on",
            *map(str, options.get("more", ())),
            "-daemonize", "-pidfile", str(pid), "-kernel", str(program)]


def emulator_of(options: Mapping[str, Any]) -> str:
    """QEMU's program for a board."""
    return str(options.get("emulator", "qemu-system-arm"))


def install_line(options: Mapping[str, Any]) -> str:
    """What to type where it is missing."""
    return f"sudo apt-get install {EMULATORS[emulator_of(options)]}"


def start_qemu(board: str, options: Mapping[str, Any], program: Path,
               say: Say = lambda line: None) -> Running:
    """Start an emulated board and announce it; `say` gets the command.

    Raises MissingTool without QEMU, EdgefmError when it does not start.
    """
    if shutil.which(emulator_of(options)) is None:
        raise MissingTool(f"{board}: {emulator_of(options)} is not installed; type: "
                          f"{install_line(options)}")
    reason = ""
    for _ in range(TRIES):
        port = _free_port()
        memory, pid = (registry.folder() / f"{board}-{port}.{end}" for end in ("memory", "pid"))
        line = qemu_command(options, program, port, memory, pid)
        say(shlex.join(line))
        with deaf():  # no board that is not in the registry stays behind
            done = subprocess.run(line, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                started = Running(board, f"socket://127.0.0.1:{port}",
                                  int(pid.read_text(encoding="utf-8")), _shared(options, memory))
                pid.unlink(missing_ok=True)
                return _announced(started)
        memory.unlink(missing_ok=True)
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
    raise EdgefmError(f"{board}: QEMU does not start: {reason}")


def start_process(board: str, options: Mapping[str, Any], program: Path,
                  say: Say = lambda line: None) -> Running:
    """Start a board that is a program for this machine, or for one that qemu-user emulates.

    `options`: runner (the emulator, or nothing) and memory_bytes of its external memory.
    """
    runner = [str(word) for word in options.get("runner", ())]
    if runner and shutil.which(runner[0]) is None:
        raise MissingTool(f"{board}: {runner[0]} is not installed; type: "
                          "sudo apt-get install qemu-user")
    memory = registry.folder() / f"{board}-{os.getpid()}-{os.urandom(4).hex()}.memory"
    line = [*runner, str(program), "--tcp", "0", "--external", str(memory),
            "--external-bytes", str(options["memory_bytes"])]
    say(shlex.join(line))
    process, url = _first_line(board, line)
    return _announced(Running(board, url, process.pid, _shared(options, memory)))


def _announced(board: Running) -> Running:
    """Announce a board, so that other commands find it; end it if that fails."""
    try:
        running.announce(board)
    except BaseException:
        os.kill(board.pid, signal.SIGKILL)
        raise
    return board


def _first_line(board: str, line: Sequence[str]) -> tuple[subprocess.Popen[str], str]:
    """Start a process that prints where it listens."""
    process = start(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None and process.stderr is not None
    try:
        there = select.select([process.stdout], [], [], START_SECONDS)[0]
        url = process.stdout.readline().strip() if there else ""
    except BaseException:
        process.kill()
        raise
    process.stdout.close()
    if not url:
        process.kill()
        reason = " ".join(process.communicate()[1].split()) or "it says nothing"
        raise EdgefmError(f"{board}: does not start: {reason}")
    process.stderr.close()
    return process, url


def _shared(options: Mapping[str, Any], memory: Path) -> SharedMemory | None:
    size = options.get("external_bytes", options.get("memory_bytes"))
    return None if size is None else SharedMemory(
        memory, int(options.get("external_offset", 0)), int(size))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
