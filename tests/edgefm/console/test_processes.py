# SPDX-License-Identifier: Apache-2.0
"""Processes that are started while a signal comes: none that is unknown stays behind."""

import os
import signal
import subprocess
import threading
import time

import pytest

from edgefm.console import processes
from edgefm.console.processes import deaf, start

SLEEP = ("sleep", "60")


@pytest.fixture
def listener():
    """Another thread, which takes signals that the main one blocks."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield
    over.set()
    thread.join()


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)


def test_an_interrupt_waits_for_the_end_of_the_block(listener):
    done = []
    with pytest.raises(KeyboardInterrupt), deaf():
        interrupt()
        done.append(True)
    assert done


def test_handlers_are_what_they_were(listener):
    before = signal.getsignal(signal.SIGINT)
    with deaf():
        pass
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_a_signal_that_is_ignored_stays_so(listener):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deaf():
            interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_start_processes_too():
    failed = []

    def work():
        try:
            with deaf():
                pass
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failed


def test_a_process_whose_start_is_interrupted_is_ended(listener, monkeypatch):
    made, really = [], subprocess.Popen

    def popen(*arguments, **options):
        made.append(really(*arguments, **options))
        interrupt()
        return made[0]

    monkeypatch.setattr(processes.subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        start(SLEEP)
    assert made[0].poll() is not None


def test_a_process_that_was_started_never_hears_of_ctrl_c():
    process = start(SLEEP)
    try:
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
    finally:
        processes.end(process)
