# SPDX-License-Identifier: Apache-2.0
"""What recording costs: a meter's 100,000 samples and a device's 2,000 events per second.

An emulated PPK2 streams through a pty and an emulated device through a pipe, each from a process
of its own; this process decodes, times, compresses and writes both, and its own processor time is
counted. Then the recording is read back. The second table is charge per stage on every emulated
meter, at times that do not depend on the machine's load.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from _common import ROOT, print_command, print_table, say

sys.path.insert(0, str(ROOT / "tests" / "support"))

RATE, EVENTS = 100_000, 2_000
STAGES = 20  # of each emulated run


def main() -> None:
    """Parse, run, print."""
    arguments = _arguments()
    if arguments.child:
        {"meter": emulate_meter, "device": emulate_device}[arguments.child](arguments)
        return
    print_command()
    if arguments.hour:
        with tempfile.TemporaryDirectory() as folder:
            _hour(Path(folder) / "run")
        return
    with tempfile.TemporaryDirectory() as folder:
        _ingest(arguments, Path(folder) / "run")
    print()
    with tempfile.TemporaryDirectory() as folder:
        _charge(Path(folder))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (default 600)")
    parser.add_argument("--drop", type=float, default=0.001,
                        help="part of the samples that the meter loses (default 0.001)")
    parser.add_argument("--hour", action="store_true",
                        help="instead, write an hour's samples and events as fast as that goes, "
                             "and read them (about 1 GB in the temporary folder)")
    parser.add_argument("--child", choices=("meter", "device"), help=argparse.SUPPRESS)
    return parser.parse_args()


# -- the emulated instruments, each in a process of its own ----------------------------------------

def emulate_meter(arguments: argparse.Namespace) -> None:
    """A PPK2 on a pty: prints the port's name; when told on stdin, what it sent and dropped."""
    import os
    import pty
    import tty

    from meters import Ppk2Board, stages

    load, pins, _ = stages([0.3, 0.5, 0.2], [12e-3, 3e-3, 40e-3], RATE)
    random = np.random.default_rng(1)
    noisy = Ppk2Board(lambda n: load(n) + random.normal(0, 50e-6, len(n)), pins)
    block = noisy.words(64 * RATE // 16)  # 4 s: the counter and the load start again after it
    board = Ppk2Board(load)
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    os.set_blocking(master, False)
    sent = dropped = 0
    out = b""
    began = time.monotonic()
    while _alive(sys.stdin) or out:
        time.sleep(0.005)
        with suppress(BlockingIOError):
            out += board.heard(os.read(master, 4096))
        if not board.running:
            began, sent = time.monotonic(), 0
            if not _alive(sys.stdin):
                break
        elif _alive(sys.stdin):
            count = int((time.monotonic() - began) * RATE) - sent
            words = np.take(block, np.arange(sent, sent + count), mode="wrap")
            keep = random.random(count) >= arguments.drop
            keep[-min(32, count):] = True
            out += words[keep].tobytes()
            sent, dropped = sent + count, dropped + int((~keep).sum())
        with suppress(BlockingIOError):
            while out:
                out = out[os.write(master, out):]
        if not _alive(sys.stdin) and not out:
            break
    print(sent, dropped, flush=True)
    time.sleep(1.0)


def emulate_device(arguments: argparse.Namespace) -> None:
    """Events of runs on stdout, EVENTS per second, until stdin ends."""
    import os

    from recorded import device_events

    from host_tools.link import frames

    seconds = [1 / EVENTS] * STAGES
    payloads = [payload for _, payload in device_events(1, seconds, 3 / EVENTS, begin=0.0)[0]]
    numbered = [[frames.encode_frame(frames.Frame(frames.FrameType.EVENT, n, payload))
                 for n in range(256)] for payload in payloads]
    began, sent = time.monotonic(), 0
    while _alive(sys.stdin):
        time.sleep(0.004)
        count = int((time.monotonic() - began) * EVENTS) - sent
        data = b"".join(numbered[n % (STAGES + 3)][n & 255] for n in range(sent, sent + count))
        os.write(1, data)
        sent += count
    print(sent, file=sys.stderr, flush=True)


def _alive(stream: Any) -> bool:
    """Whether our standard input is still open."""
    import select

    ready = select.select([stream], [], [], 0)[0]
    return not ready


# -- recording -------------------------------------------------------------------------------------

def _ingest(arguments: argparse.Namespace, folder: Path) -> None:
    from host_tools.link.frames import FrameReader
    from host_tools.link.session import Event
    from host_tools.link.transport import open_transport
    from host_tools.measurement.record import RunRecorder
    from host_tools.power.meter import MeterOptions
    from host_tools.power.ppk2 import Ppk2

    meter_process, device_process = _child("meter", arguments), _child("device", arguments)
    assert meter_process.stdout and device_process.stdout
    port = meter_process.stdout.readline().decode().strip()
    meter = Ppk2(open_transport(port), MeterOptions(values={"mode": "source", "volts": "3.3"}))
    said: list[str] = []
    memory: list[int] = []
    with RunRecorder(folder, {}, meter, said.append) as recorder:
        reader, expected, events = FrameReader(), 0, 0
        began, busy = time.monotonic(), time.process_time()
        marks = [began + arguments.seconds * part for part in (0.25, 1.0)]
        feeder = _Feeder(device_process)
        while time.monotonic() < marks[-1]:
            time.sleep(0.01)
            for frame in reader.feed(feeder.take()):
                recorder.take(Event(frame.payload, frame.sequence - expected & 255))
                expected, events = frame.sequence + 1 & 255, events + 1
            if len(memory) < 1 and time.monotonic() >= marks[0]:
                memory.append(_memory())
        took, used = time.monotonic() - began, time.process_time() - busy
        memory.append(_memory())
        assert device_process.stdin and meter_process.stdin
        device_process.stdin.close()
        for frame in reader.feed(feeder.rest()):
            recorder.take(Event(frame.payload, frame.sequence - expected & 255))
            expected, events = frame.sequence + 1 & 255, events + 1
        meter_process.stdin.close()
        told = meter_process.stdout.readline().decode().split()
        time.sleep(0.5)
    assert device_process.stderr
    sent_events = int(device_process.stderr.read())
    _report(arguments, folder, took, used, memory, [int(n) for n in told], sent_events, said)


def _child(kind: str, arguments: argparse.Namespace) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, __file__, "--child", kind, "--drop", str(arguments.drop)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        if kind == "device" else None, bufsize=0 if kind == "device" else -1)


class _Feeder:
    """A thread that reads the device's bytes as they come, as a link's owner does."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._data, self._lock = process, bytearray(), threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        assert self._process.stdout
        while data := self._process.stdout.read(1 << 16):
            with self._lock:
                self._data += data

    def take(self) -> bytes:
        """What has come."""
        with self._lock:
            data, self._data = bytes(self._data), bytearray()
        return data

    def rest(self) -> bytes:
        """Everything up to the end."""
        self._thread.join()
        return self.take()


def _memory() -> int:
    """The most that this process has used so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _report(arguments: argparse.Namespace, folder: Path, took: float, used: float,
            memory: list[int], told: list[int], sent_events: int, said: list[str]) -> None:
    from host_tools.recording import Recording

    for line in said:
        say(line)
    size = sum(path.stat().st_size for path in folder.iterdir())
    began = time.perf_counter()
    with Recording(folder) as recording:
        opened = time.perf_counter() - began
        power, device = recording.samples["ppk2"], recording.events["device"]
        power.envelope("watts", buckets=2000)
        drawn = time.perf_counter() - began
        index = sum(len(piece.times) for piece in power.chunks())
        read = time.perf_counter() - began - drawn
        rows = [
            ("recorded", f"{took:.0f} s"),
            ("of one core", f"{100 * used / took:.1f} %"),
            ("samples sent, kept by the emulated meter", f"{told[0]:,}, {told[0] - told[1]:,}"),
            ("samples recorded", f"{index:,}"),
            ("samples dropped by the meter, counted as lost", f"{told[1]:,}, {power.lost:,}"),
            ("events sent, recorded, lost", f"{sent_events:,}, {device.count:,}, {device.lost:,}"),
            ("memory after a quarter, at the end", f"{memory[0] / 2**20:.1f}, "
             f"{memory[-1] / 2**20:.1f} MiB"),
            ("on disk", f"{size / 1e6:.1f} MB, {size / took * 3600 / 1e9:.2f} GB per hour"),
            ("open; draw 2,000 points; read every sample",
             f"{opened:.2f} s; {drawn - opened:.2f} s; {read:.1f} s"),
        ]
        print_table(("what", "measured"), rows)
        for problem in recording.problems:
            say(problem)


def _hour(folder: Path) -> None:
    """Memory while an hour is written and read; no line, no waiting."""
    from host_tools.link.events import STAGE
    from host_tools.recording import Column, Recorder, Recording

    random = np.random.default_rng(0)
    load = np.repeat([12e-3, 3e-3, 40e-3, 5e-3], RATE // 4)
    steps = np.rint(random.normal(load, 60e-6) / 47e-6) * 47e-6  # as a PPK2's range 3 has them
    volts = np.full(RATE, 3.3)
    payload = STAGE.pack(2, 1, 0, 0, *range(7))
    columns = [Column("VDD", "amperes", 1e-9), Column("VDD", "volts", 1e-3),
               Column("VDD", "watts", product=(0, 1))]
    memory, used = [_memory()], time.process_time()
    with Recorder(folder) as recorder:
        power = recorder.samples("power", columns, RATE)
        device = recorder.events("device")
        for second in range(3600):
            start = second * 10**9
            power.append([np.roll(steps, 77 * second), volts], start, start + 10**9 - 10**4)
            for number in range(EVENTS):
                device.append(start + number * 500_000, payload)
            if second in (60, 900, 3599):
                memory.append(_memory())
    written = time.process_time() - used
    with Recording(folder) as recording:
        power_channel = recording.samples["power"]
        began = time.perf_counter()
        power_channel.envelope("watts", buckets=2000)
        drawn = time.perf_counter() - began
        counts = power_channel.count, recording.events["device"].count
        memory.append(_memory())
    print_table(("what", "measured"), [
        ("samples, events", f"{counts[0]:,}, {counts[1]:,}"),
        ("processor time to write", f"{written:.0f} s, {100 * written / 3600:.1f} % of the hour"),
        ("on disk", f"{sum(p.stat().st_size for p in folder.iterdir()) / 1e6:.0f} MB"),
        ("memory before, after 1, 15, 60 minutes, after reading",
         ", ".join(f"{m / 2**20:.1f}" for m in memory) + " MiB"),
        ("draw 2,000 points", f"{drawn:.2f} s")])


def _charge(folder: Path) -> None:
    import known_charge

    def rows() -> Any:
        for name, scenario in known_charge.SCENARIOS.items():
            measured, true = scenario(folder / name)
            worst = max(abs(a / b - 1) for a, b in zip(measured, true, strict=True))
            yield name, len(true), f"{min(true) * 1e3:.3g} to {max(true) * 1e3:.3g}", 100 * worst

    print_table(("emulated meter", "stages", "charge, mC", "largest error, %"), rows())


if __name__ == "__main__":
    main()
