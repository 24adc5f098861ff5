# SPDX-License-Identifier: Apache-2.0
"""Watch a running device, or a growing recording, in browser and terminal."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from edgefm.console.terminal import complain, say
from edgefm.errors import LinkError
from host_tools.cli.arguments import add_output
from host_tools.cli.device import device_of
from host_tools.cli.record import check_recording, inner_verb
from host_tools.cli.run import device_stream
from host_tools.link.session import Event
from host_tools.measurement.record import RunRecorder
from host_tools.outputs.monitor.follow import Follower
from host_tools.outputs.monitor.server import Server
from host_tools.outputs.monitor.table import Drawer
from host_tools.power.meters import open_meter
from host_tools.recording import Recording

DRAWN_SECONDS = 0.5
AGAIN_SECONDS = 1.0

EXAMPLE = "edgefm monitor -- run :net.efm cat.jpg --repeat 0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `monitor`."""
    add_output(parser, "-o", "--output", check=check_recording, metavar="RUN",
               help="keep the recording: a new folder (default: a temporary one)")
    parser.add_argument("--meter", default="auto", metavar="KIND[:WHERE][,key=value…]",
                        help="power meter: auto (default: the connected one), none, or a kind of "
                             "docs/POWER.md")
    parser.add_argument("--host", default="127.0.0.1",
                        help="address to listen at (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=int, default=0,
                        help="port to listen at (default: 0, any free port)")
    parser.add_argument("--no-browser", action="store_true",
                        help="only print the address of the page (default: open it too)")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="RUN | -- run :net.efm …",
                        help="a growing recording, or the device verb with its options; --repeat 0 "
                             "runs until Ctrl-C")


def run(arguments: argparse.Namespace) -> None:
    """Attach to a recording, or run the device and record it; show it until the end."""
    words = arguments.command
    if len(words) == 1 and Path(words[0]).exists():
        _attach(arguments, Path(words[0]))
    else:
        _record(arguments)


def _attach(arguments: argparse.Namespace, path: Path) -> None:
    with Recording(path) as recording:
        _show(arguments, recording, lambda: not recording.is_growing())


def _record(arguments: argparse.Namespace) -> None:
    inner, name, words = inner_verb(arguments, "monitor")
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        folder = arguments.output or Path(scratch) / "run"
        meta = {"run": {"command": shlex.join(words)}}
        recorder = stack.enter_context(RunRecorder(folder, meta, open_meter(arguments.meter),
                                                   complain))
        work = _Work(arguments, inner, name, recorder)
        recording = stack.enter_context(Recording(folder))
        thread = threading.Thread(target=work.go_on, daemon=True)
        thread.start()
        try:
            _show(arguments, recording, lambda: _ended(thread, recorder))
        finally:
            work.stop.set()
            thread.join(timeout=10)
    if work.error:
        raise work.error


def _ended(thread: threading.Thread, recorder: RunRecorder) -> bool:
    """Whether all runs are done, so that their recording can be shown."""
    if thread.is_alive():
        return False
    with suppress(OSError):  # the recorder reports a full disk at its end
        recorder.recorder.flush()
    return True


class _Work:
    """The device's runs, in their own thread; reconnects to a device that comes back."""

    def __init__(self, arguments: argparse.Namespace, inner: argparse.Namespace, name: str,
                 recorder: RunRecorder) -> None:
        self._board, self._inner, self._name = arguments.board, inner, name
        self._recorder = recorder
        self.stop = threading.Event()
        self.error: BaseException | None = None

    def go_on(self) -> None:
        """Run the requested number of times; 0: until stopped."""
        left = getattr(self._inner, "repeat", 1) or sys.maxsize
        again = left == sys.maxsize
        while left and not self.stop.is_set():
            try:
                left -= self._some(left)
            except LinkError as error:
                if not again:
                    self.error = error
                    return
                complain(f"{error}; trying again")
                self._board.close()
                self.stop.wait(AGAIN_SECONDS)
            except BaseException as error:
                self.error = None if self.stop.is_set() else error
                return

    def _take(self, event: Event) -> None:
        """Record an event; end a run on the device too when the user no longer waits for it."""
        self._recorder.take(event)
        if self.stop.is_set():
            raise KeyboardInterrupt

    def _some(self, left: int) -> int:
        """Run until the connection breaks; returns the number of runs."""
        device, made = device_of(self._board), 0
        outline, stream, stored = device_stream(self._inner, device, self._name)
        self._recorder.describe_model(outline.info, device.sha256(self._name))
        self._recorder.watch(device)
        device.watch(self._take)
        try:
            while made < left and not self.stop.is_set():
                device.run(self._name, stream, stored=stored, times=1,
                           outputs=outline.info.outputs)
                made += 1
        finally:
            device.watch(None)
        return made


def _show(arguments: argparse.Namespace, recording: Recording, ended: Callable[[], bool]) -> None:
    """Show the page and the table until `ended()` or Ctrl-C."""
    follower = Follower(recording)
    drawer = Drawer(sys.stdout)
    with Server(follower, arguments.host, arguments.port) as server:
        say(f"{server.url} (Ctrl-C ends)", flush=True)
        if not arguments.no_browser:
            _open(server.url)
        pause = threading.Event()
        try:
            while not ended():
                _draw(drawer, follower)
                pause.wait(DRAWN_SECONDS)
        except KeyboardInterrupt:
            pass
        _draw(drawer, follower)


def _draw(drawer: Drawer, follower: Follower) -> None:
    drawer.draw(follower.look(), *shutil.get_terminal_size((100, 30)))


def _open(url: str) -> None:
    try:
        webbrowser.open(url)
    except webbrowser.Error as error:
        complain(f"no browser: {error}; open {url}")
