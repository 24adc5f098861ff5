# SPDX-License-Identifier: Apache-2.0
"""A session with the device's C over lines that lose, damage, repeat and die."""

import os
import pty
import random
import threading
import tty
import zlib

import link_device
import pytest
from link_device import FAIL, INFO, REVERSE, SLOW, LinkDevice
from lying_device import LyingDevice
from virtual_line import BusyMachine, VirtualLine

from edgefm.errors import BadMessage, DeviceError, LinkLost, LinkTimeout
from host_tools.link import frames
from host_tools.link.frames import Command, Status
from host_tools.link.session import Event, Session
from host_tools.link.transport import MemoryTransport, open_transport

DATA = random.Random(1).randbytes(20_000)


@pytest.fixture(autouse=True)
def same_numbers_every_time(monkeypatch):
    monkeypatch.setattr("secrets.randbelow", lambda limit: limit - 3)
    monkeypatch.setattr("secrets.randbits", lambda count: 0x01020304)


@pytest.fixture(scope="module")
def native(native_lib):
    return link_device.build(native_lib)


@pytest.fixture
def device(native):
    return LinkDevice(native)


def connect(device, line=None, **options):
    """A session whose transport never waits; `line` changes the bytes of both directions."""
    line = line or (lambda data: data)
    return Session(MemoryTransport(lambda data: line(device(line(data)))), **options)


def noisy(seed, *, flip=0.0, drop=0.0, twice=0.0):
    """A line that damages, drops and repeats single bytes with these probabilities."""
    rng = random.Random(seed)

    def pass_on(data):
        out = bytearray()
        for byte in data:
            if rng.random() >= drop:
                out.append(byte ^ (1 << rng.randrange(8)) if rng.random() < flip else byte)
                if rng.random() < twice:
                    out.append(byte)
        return bytes(out)

    return pass_on


def damaged_once(at, change):
    """A line that changes its byte number `at` and no other."""
    count = 0

    def pass_on(data):
        nonlocal count
        here, count = at - count, count + len(data)
        return change(data, here) if 0 <= here < len(data) else data

    return pass_on


def test_a_session_knows_the_device(device):
    session = connect(device)
    assert session.info == INFO
    assert (session.line.frame, session.line.chunk) == (4096, 4084)


@pytest.mark.parametrize("frame", [32, 33, 100, 4096])
def test_commands_and_bulk_data_work_at_every_frame_size(native, frame):
    device = LinkDevice(native, frame=frame, window=8 * frame)
    with connect(device) as session:
        assert session.request(REVERSE, b"abcdef") == b"fedcba"
        for size in (0, 1, frame - 12, frame - 11, 2000):
            session.put("f", DATA[:size])
            assert device.files["f"] == DATA[:size] == session.get("f")
    assert session.get("f", start=1990) == DATA[1990:2000]


def test_more_requests_than_sequence_numbers(device):
    session = connect(device)
    assert [session.request(REVERSE, bytes([i & 255])) for i in range(300)]
    assert len(device.commands) == 300


def test_progress_never_goes_back_and_ends_with_all(device):
    session, seen = connect(device), []
    session.put("f", DATA, lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen) and seen[-1] == (len(DATA), len(DATA))


@pytest.mark.parametrize("window", [0, 100, 5000, 1 << 16])
def test_a_small_window_is_enough(native, window):
    device = LinkDevice(native, window=window or 1)
    session = connect(device, noisy(3, flip=1e-4))
    session.put("f", DATA)
    assert device.files["f"] == DATA


@pytest.mark.parametrize("noise", [
    {"flip": 0.01, "drop": 0.01}, {"twice": 0.01}, {"drop": 0.001}, {"flip": 1e-4, "twice": 1e-4}])
def test_a_bad_line_delivers_every_byte_right(device, noise):
    session = connect(device, noisy(4, **noise))
    session.put("f", DATA)
    assert device.files["f"] == DATA
    assert session.get("f") == DATA


def test_each_command_is_done_once_on_a_bad_line(device):
    session = connect(device, noisy(5, flip=0.01, drop=0.005))
    asked = [bytes([i]) * 5 for i in range(100)]
    assert [session.request(REVERSE, args) for args in asked] == asked
    assert device.commands == [(REVERSE, args) for args in asked]


def drop(data, at):
    return data[:at] + data[at + 1:]


def repeat(data, at):
    return data[:at + 1] + data[at:]


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 0x5a]) + data[at + 1:]


def zero(data, at):
    return data[:at] + b"\0" + data[at + 1:]


@pytest.mark.parametrize("change", [drop, repeat, flip, zero])
def test_any_one_byte_may_go_wrong(native, change):
    data = DATA[:150]
    for at in range(0, 1100):
        device = LinkDevice(native, frame=64)
        session = connect(device, damaged_once(at, change))
        session.put("f", data)
        assert device.files["f"] == data == session.get("f")


def test_a_line_that_dies_after_any_byte_fails_cleanly_and_the_rest_can_follow(native):
    data, device, at = DATA[:150], LinkDevice(native, frame=64), 0
    while True:
        carried = 0

        def mortal(part, at=at):
            nonlocal carried
            keep = max(0, at - carried)
            carried += len(part)
            return part[:keep]

        device.files.clear()
        device.partial.clear()
        try:
            connect(device, mortal).put("f", data)
        except LinkTimeout:
            assert device.files.get("f", data) == data
            sent = sum(map(len, device.partial.values()))
            connect(device).put("f", data)
            assert device.files["f"] == data and sent <= len(data)
            at += 1
        else:
            break
    assert at > 400


def test_an_interrupted_put_is_resumed_where_it_stopped(native):
    device, alive = LinkDevice(native, window=2000), True

    def line(data):
        return data if alive else b""

    def unplug(done, total):
        nonlocal alive
        alive = done < total // 2

    session = connect(device, line, frame=512)
    with pytest.raises(LinkTimeout, match="no answer to OPEN_WRITE of f in 10 s"):
        session.put("f", DATA, unplug)
    alive, sent = True, []

    def count(data):
        sent.append(len(data))
        return data

    connect(device, count, frame=512).put("f", DATA)
    assert device.files["f"] == DATA and sum(sent) < 0.7 * len(DATA)


def test_a_clean_line_carries_little_besides_the_data(device):
    sent = 0

    def count(data):
        nonlocal sent
        sent += len(data)
        return device(data)

    Session(MemoryTransport(count)).put("f", DATA * 20)
    assert sent < 1.01 * 20 * len(DATA)


def test_a_noisy_line_is_used_well(native):
    """1 % damaged and 1 % dropped: the bytes sent are less than five times the data."""
    device, sent, noise = LinkDevice(native), 0, noisy(6, flip=0.01, drop=0.01)

    def count(data):
        nonlocal sent
        sent += len(data)
        return noise(device(noise(data)))

    Session(MemoryTransport(count)).put("f", DATA * 3)
    assert device.files["f"] == DATA * 3
    assert sent < 5 * 3 * len(DATA)


def test_a_silent_device_is_a_timeout():
    with pytest.raises(LinkTimeout, match=r"memory: no answer to HELLO in 10 s"):
        Session(MemoryTransport(lambda data: b""))


def test_a_babbling_device_is_a_timeout(native):
    babble = frames.encode_frame(frames.Frame(frames.FrameType.EVENT, 0, b"x"))
    with pytest.raises(LinkTimeout):
        Session(MemoryTransport(lambda data: babble * 3))


def test_an_error_says_status_and_the_devices_words(device):
    session = connect(device)
    with pytest.raises(DeviceError, match=r"command 202: PORT_FAILED \(-13\): on fire") as error:
        session.request(FAIL)
    assert error.value.status == Status.PORT_FAILED
    with pytest.raises(DeviceError, match="OPEN_READ of nothing: NOT_FOUND"):
        session.get("nothing")
    with pytest.raises(DeviceError, match="NO_SPACE"):
        session.put("f", bytes(INFO.store_bytes + 1))
    assert session.request(REVERSE, b"ok") == b"ko"


def test_a_store_that_fails_in_the_middle_ends_the_transfer(device):
    session = connect(device, frame=512)
    device.take_status = Status.PORT_FAILED
    with pytest.raises(DeviceError, match="writing f: PORT_FAILED"):
        session.put("f", DATA)
    device.take_status = 0
    session.put("f", DATA)
    assert device.files["f"] == DATA


def test_a_device_that_restarts_is_noticed(device):
    session = connect(device)
    device.reset()
    with pytest.raises(LinkLost, match="restarted"):
        session.request(REVERSE)


def test_a_device_that_restarts_in_a_transfer_is_noticed(device):
    session = connect(device, frame=512)
    with pytest.raises(LinkLost, match="restarted"):
        session.put("f", DATA, lambda done, total: device.reset() if done > 5000 else None)
    connect(device).put("f", DATA)
    assert device.files["f"] == DATA


def test_a_second_client_takes_over_and_the_first_is_told(device):
    first, second = connect(device), connect(device)
    second.request(REVERSE)
    first._sequence = second._sequence + 7 & 255  # chance must not make them agree
    with pytest.raises(LinkLost, match="another client"):
        first.request(REVERSE)
    assert second.request(REVERSE, b"12") == b"21"


def test_a_device_at_work_is_waited_for(native):
    device, calls = LinkDevice(native), 0

    def slow(data):
        """The reply to SLOW stays out for ten questions."""
        nonlocal calls
        found = frames.FrameReader().feed(data)
        if found and found[0].payload[:1] == bytes([SLOW]):
            calls += 1
            if calls < 10:
                pending = bytes([Status.PENDING])
                return frames.encode_frame(frames.Frame(2, found[0].sequence, pending))
        return device(data)

    session = Session(MemoryTransport(slow))
    assert session.request(SLOW) == b"" and calls == 10
    calls = -1000
    with pytest.raises(LinkTimeout, match="command 201 still at work after 20 s"):
        session.request(SLOW, patience=20)


def test_a_device_that_never_ends_what_it_does_is_given_up():
    def busy(data):
        return b"".join(frames.encode_frame(frames.Frame(2, frame.sequence, bytes([1])))
                        for frame in frames.FrameReader().feed(data))

    with pytest.raises(LinkTimeout, match="HELLO still at work after 30 s"):
        Session(MemoryTransport(busy))


def test_events_are_told_with_their_gaps(device):
    seen = []
    session = connect(device, on_event=seen.append)
    first, _, third = (device.event(text) for text in (b"a", b"b", b"c"))
    session._transport._pending += first + third
    session.request(REVERSE)
    assert seen == [Event(b"a", 0), Event(b"c", 1)]


def test_another_protocol_version_is_refused(device, monkeypatch):
    monkeypatch.setattr(frames, "MAJOR", 2)
    minor = frames.MINOR
    with pytest.raises(DeviceError, match=rf"speaks protocol 1\.{minor}, this host 2\.{minor}"):
        connect(device)


def test_a_look_tells_size_and_checksum_and_reads_nothing(device):
    device.files["a"] = b"x" * 100_000
    session = connect(device)
    assert session.look("a") == (100_000, zlib.crc32(device.files["a"]))
    with pytest.raises(DeviceError) as error:
        session.look("b")
    assert error.value.status == frames.Status.NOT_FOUND
    assert session.get("a") == device.files["a"]


def test_a_short_capability_record_is_refused():
    def device(data):
        out = b""
        for frame in frames.FrameReader().feed(data):
            nonce = int.from_bytes(frame.payload[3:7], "little")
            reply = b"\0" + frames.HELLO_REPLY.pack(1, 0, nonce, 64, 0, 1)
            if frame.payload[0] == Command.INFO:
                reply = b"\0\x03\0abc"
            out += frames.encode_frame(frames.Frame(2, frame.sequence, reply))
        return out

    with pytest.raises(BadMessage, match="capability record: 3 bytes, expected 64"):
        Session(MemoryTransport(device))


def test_a_slow_line_gets_short_frames(device):
    transport = MemoryTransport(device)
    transport.bytes_per_second = 960.0
    assert Session(transport).line.frame == 240


def test_a_session_over_a_real_port_in_real_time(device):
    master, slave = pty.openpty()
    tty.setraw(slave)

    def serve():
        try:
            while data := os.read(master, 4096):
                answer = memoryview(device(data))
                while answer:
                    answer = answer[os.write(master, answer):]
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    with Session(open_transport(os.ttyname(slave))) as session:
        session.put("f", DATA)
        assert device.files["f"] == DATA == session.get("f")
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize(("rate", "noise", "share"), [(11_520, 0, 0.95), (300_000, 0, 0.9),
                                                      (11_520, 0.01, 0.2), (46_080, 0.01, 0.2)])
def test_a_line_is_used_well(native, rate, noise, share):
    """Share of the line's bytes that are data, with 2 ms there and back; no real clock."""
    device = LinkDevice(native, frame=1024, window=4096)
    line = VirtualLine(device, rate, noise=noise)
    data = DATA * 6
    with Session(line) as session:
        begin = line.clock()
        session.put("f", data)
        assert device.files["f"] == data
        assert len(data) / (line.clock() - begin) > share * rate


@pytest.mark.parametrize("rate", [20_000, 100_000])
@pytest.mark.parametrize("stall", [0.0, 3.0, 9.0])
def test_a_device_that_is_busy_for_long_is_no_dead_one_and_finds_no_heap(native, rate, stall):
    """However long it took, each chunk costs little more than itself, and CLOSE is waited for."""
    device, data = LinkDevice(native, window=1 << 17), DATA * 20
    line = BusyMachine(device, rate, after=150_000, stall=stall)
    with Session(line) as session:
        session.put("f", data)
        assert device.files["f"] == data == session.get("f")
    assert line.sent < 1.25 * len(data)


@pytest.mark.parametrize("rate", [3_000, 20_000])
def test_answers_to_what_was_sent_before_are_a_sign_of_life(native, rate):
    """A request behind a heap of others has its turn when they are done."""
    device = LinkDevice(native)
    line = BusyMachine(device, rate)
    with Session(line) as session:
        session.put("f", DATA)
        heap = frames.encode_frame(frames.chunk(99, 0, DATA[:4000]))
        line.write(heap * (int(60 * rate) // len(heap)))  # a minute of it
        before = line.clock()
        assert session.request(REVERSE, b"ab") == b"ba"
        assert 40 < line.clock() - before < 80


class Stopped(MemoryTransport):
    """A host that is stopped for a minute before each look at the line."""

    def read(self, timeout):
        self._seconds += 60
        return super().read(timeout)


def test_a_host_that_was_stopped_has_not_waited(device):
    with Session(Stopped(device)) as session:
        session.put("f", DATA)
        assert device.files["f"] == DATA == session.get("f")
        assert session.request(REVERSE, b"ab") == b"ba"


class Pulling(LyingDevice):
    """A device whose RUN takes chunks as they come, 8 at a time, and which is asked meanwhile."""

    window, running = 8, None

    def _opened(self, what, start, reply, *fields):
        status, data = super()._opened(what, start, reply, *fields)
        return status, data[:1] + bytes([self.window]) + data[2:] if reply.size == 6 else data

    def _request(self, frame):
        if self.running is not None or frame.payload[0] != Command.RUN:
            pending = frames.encode_frame(frames.Frame(2, frame.sequence, bytes([Status.PENDING])))
            return super()._request(frame) if self.running is None else pending
        self.running, self.runs = frame.sequence, self.runs + 1
        return self._go_on()

    def _take(self, frame):
        number, _ = frames.read_chunk(frame)
        if self._next <= number < self._next + self.window:
            self._have |= 1 << number - self._next
        ack = frames.ACK.pack(0, number, self._next, self._have)
        return self._say(5, frame.sequence, ack) + self._go_on()

    def _go_on(self):
        out = b""
        while self.running is not None and self._have & 1:
            self._next, self._have = self._next + 1, self._have >> 1
            out += self._say(5, self._transfer, frames.ACK.pack(0, self._next - 1, self._next,
                                                                self._have))
        if self.running is not None and self._next * self._chunk >= self._total:
            out += self._say(2, self.running, bytes(5))
            self._last, self.running = (self.running, bytes(5)), None
        return out


@pytest.mark.parametrize("stall", [0.0, 3.0, 9.0])
@pytest.mark.parametrize("rate", [20_000, 200_000])
def test_a_run_that_computes_for_long_finds_no_heap_of_its_input(stall, rate):
    data, device = DATA * 20, Pulling()
    line = BusyMachine(device, rate, after=200_000, stall=stall)
    with Session(line) as session:
        session.feed(Command.RUN, b"\0\1\0\1n", ":input", data)
    assert device.runs == 1 and line.sent < 1.1 * len(data)
