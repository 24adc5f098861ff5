# SPDX-License-Identifier: Apache-2.0
"""However a command is ended, it ends soon, with one line, and takes everything with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from interrupting import MOST_SECONDS, Ended, await_that, interrupted, runs

from edgefm.console.command import Terminated, complete
from edgefm.errors import BadInput

WORK = """
    import hashlib, os, sys, time
    from pathlib import Path
    from edgefm.console import command, pool as processes, terminal
    from edgefm.evaluate import executors
    from edgefm.files import write

    HERE = Path(__file__).parent

    def began(n=0):
        (HERE / f"{os.getpid()}.pid").touch()

    def busy(n):
        began()
        while True:
            sum(range(1000))

    def in_c(n=0):
        began()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 1 << 30)

    def pool():
        with executors.executor(None, 2) as made:
            for unit, result in processes.completed(made, globals()[sys.argv[2]], range(8)):
                raise AssertionError("a unit that never ends gave a result")

    def writes():
        with write.writing(HERE / "new") as file:
            file.write(b"half")
            busy(0)

    def writes_in_c():
        with write.writing(HERE / "new") as file:
            in_c()

    def swallows():
        began()
        while True:
            try:
                time.sleep(1)
            except BaseException:
                pass

    def waits_for_threads():
        import threading
        threading.Thread(target=time.sleep, args=(60,)).start()
        began()
        time.sleep(60)

    def calls_back():
        import weakref
        class Thing:
            pass
        thing = Thing()
        kept = weakref.ref(thing, lambda _: (began(), time.sleep(60)))
        del thing
        time.sleep(60)

    def is_patient():
        began()
        try:
            time.sleep(60)
        finally:
            with command.patient():
                time.sleep(command.GRACE_SECONDS + 0.5)
                terminal.say("kept")

    def main():
        globals()[sys.argv[1]]()
        return 0

    if __name__ == "__main__":
        command.run(main)
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    script = tmp_path / "work.py"
    script.write_text(dedent(WORK), encoding="utf-8")
    return script


def _began(script: Path, count: int = 1) -> Callable[[str], bool]:
    return lambda printed: len(list(script.parent.glob("*.pid"))) >= count


def _no_one_is_left(script: Path) -> bool:
    return not any(runs(int(path.stem)) for path in script.parent.glob("*.pid"))


def _is_over(ended: Ended, status: int = 130, line: str = "edgefm: interrupted\n") -> None:
    assert (ended.status, ended.err, ended.out) == (status, line, "")
    assert ended.seconds < MOST_SECONDS


@pytest.mark.parametrize("group", [True, False], ids=["group", "alone"])
@pytest.mark.parametrize("unit", ["busy", "in_c"])
def test_ctrl_c_ends_a_pool_at_once(work: Path, unit: str, group: bool) -> None:
    _is_over(interrupted([work, "pool", unit], _began(work, 2), group=group))
    assert _no_one_is_left(work)


@pytest.mark.parametrize("what", ["writes_in_c", "swallows", "waits_for_threads",
                                  "calls_back"])
def test_what_does_not_return_to_python_is_not_waited_for(work: Path, what: str) -> None:
    _is_over(interrupted([work, what], _began(work)))
    assert not list(work.parent.glob(".edgefm*"))


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("group", [True, False], ids=["group", "alone"])
def test_other_signals_end_it_as_well(work: Path, name: str, status: int, group: bool) -> None:
    ended = interrupted([work, "pool", "busy"], _began(work, 2), getattr(signal, name), group)
    _is_over(ended, status, f"edgefm: ended by {name}\n")
    assert _no_one_is_left(work)


def test_half_a_file_is_taken_away(work: Path) -> None:
    _is_over(interrupted([work, "writes"], _began(work)))
    assert not list(work.parent.glob("new")) and not list(work.parent.glob(".edgefm*"))


def test_workers_end_when_their_parent_was_killed(work: Path) -> None:
    interrupted([work, "pool", "busy"], _began(work, 2), signal.SIGKILL, group=False)
    await_that(lambda: _no_one_is_left(work), 10)


def test_what_was_measured_is_put_away_first(work: Path) -> None:
    ended = interrupted([work, "is_patient"], _began(work))
    assert (ended.status, ended.out, ended.err) == (130, "kept\n", "edgefm: interrupted\n")


def test_a_signal_that_was_ignored_before_stays_ignored(work: Path) -> None:
    script = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); " \
             "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    words = [sys.executable, "-c", script, str(work), "swallows"]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
        await_that(lambda: _began(work)(""))
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(MOST_SECONDS)
        process.kill()


@pytest.mark.parametrize(("error", "status", "line"), [
    (BadInput("a\x1b"), 2, "edgefm: a\\x1b\n"),
    (OSError("broken\n image"), 2, "edgefm: broken image\n"),
    (FileNotFoundError(2, "No such file", "x"), 2, "edgefm: x: No such file\n"),
    (KeyboardInterrupt(), 130, "edgefm: interrupted\n"),
    (Terminated(15), 143, "edgefm: ended by SIGTERM\n")])
def test_every_end_has_its_status_and_its_line(error: BaseException, status: int, line: str,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error

    assert complete(work) == status
    assert capsys.readouterr().err == line


def _edgefm(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True,
                          env={**os.environ, "edgefm": f"{sys.executable} -m host_tools.cli"},
                          text=True, check=False, timeout=60)


@pytest.mark.parametrize(("command", "status", "err"), [
    ("$edgefm zoo list | head -1 >/dev/null", 0, ""), ("$edgefm zoo list | true", 0, ""),
    ("$edgefm zoo get none 2>&1 >/dev/null | true", 2, ""),
    ("$edgefm zoo list >&-", 0, ""), ("$edgefm zoo list --json >&- 2>&-", 0, ""),
    ("$edgefm zoo get none 2>&-", 2, ""),
    ("$edgefm zoo list >/dev/full", 2, "edgefm: standard output: No space left on device\n")])
def test_a_reader_that_leaves_is_no_error(command: str, status: int, err: str) -> None:
    done = _edgefm(command)
    assert (done.returncode, done.stderr) == (status, err)
