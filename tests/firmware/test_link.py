# SPDX-License-Identifier: Apache-2.0
"""The device's end of the link in C: the host's bytes, any pieces, any damage, every request."""

import random
import subprocess
from pathlib import Path

import link_device
import pytest
from link_device import INFO, REVERSE, SLOW, LinkDevice

from host_tools.link import frames
from host_tools.link.capability import read_info
from host_tools.link.frames import Command, Frame, FrameReader, Status

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
LENGTHS = [0, 1, 2, 24, 245, 246, 247, 248, 249, 250, 500, 501, 502, 503, 504, 4088]


@pytest.fixture(scope="module")
def native(native_lib):
    return link_device.build(native_lib)


class Receiver:
    """efm_link_receive() over bytes."""

    def __init__(self, native, capacity=4096):
        self.native, self.memory = native, native.ffi.new("uint8_t[]", capacity)
        self.state = native.ffi.new("efm_link_receiver *")
        native.lib.efm_link_receiver_init(self.state, self.memory, capacity)

    def feed(self, data):
        frame, used = self.native.ffi.new("efm_link_frame *"), self.native.ffi.new("uint32_t *")
        found = []
        while self.native.lib.receive_all(self.state, data, len(data), used, frame):
            payload = bytes(self.native.ffi.buffer(frame.payload, frame.bytes))
            found.append(Frame(frame.type, frame.sequence, payload))
        return found


def payloads():
    rng = random.Random(1)
    for length in LENGTHS:
        yield bytes(length)
        yield b"\xff" * length
        yield bytes(i & 255 for i in range(length))
        yield rng.randbytes(length)
        yield bytes(rng.choice((0, 1, 255)) for _ in range(length))


def c_encode(native, frame):
    out = bytearray()
    write = native.ffi.callback("void(void *, const uint8_t *, uint32_t)",
                                lambda _, data, count: out.extend(native.ffi.buffer(data, count)))
    config = native.ffi.new("efm_link_config *", {"write": write})
    memory = native.ffi.new("uint8_t[]", len(frame.payload) + frames.FRAME_EXTRA)
    native.ffi.memmove(memory + 4, frame.payload, len(frame.payload))
    native.lib.efm_link_send(config, frame.type, frame.sequence, memory, len(frame.payload))
    return bytes(out)


def stream(seed, count=30):
    rng = random.Random(seed)
    return [Frame(rng.randrange(1, 7), rng.randrange(256), rng.randbytes(rng.randrange(80)))
            for _ in range(count)]


def test_c_and_python_write_the_same_frames_and_read_each_others(native):
    receiver, reader = Receiver(native), FrameReader()
    for number, payload in enumerate(payloads()):
        frame = Frame(1 + number % 6, number & 255, payload)
        wire = frames.encode_frame(frame)
        assert c_encode(native, frame) == wire
        assert receiver.feed(wire) == reader.feed(wire) == [frame]
    assert receiver.state.damaged == reader.damaged == 0


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 10**6])
def test_any_pieces_give_the_same_frames(native, piece):
    sent = stream(2)
    wire = b"".join(map(frames.encode_frame, sent))
    receiver = Receiver(native)
    found = [frame for at in range(0, len(wire), piece) for frame in
             receiver.feed(wire[at:at + piece])]
    assert found == sent


def test_a_frame_without_its_end_gives_nothing_and_spoils_nothing(native):
    first, second = stream(3, 2)
    wire = frames.encode_frame(first)
    for cut in range(1, len(wire) - 1):
        receiver, reader = Receiver(native), FrameReader()
        for listener in (receiver, reader):
            assert listener.feed(wire[:cut]) == []
            assert listener.feed(frames.encode_frame(second)) == [second]
        assert receiver.state.damaged == reader.damaged == (cut > 1)


def test_every_flipped_bit_is_noticed(native):
    sent = stream(4, 3)
    wire = bytearray(b"".join(map(frames.encode_frame, sent)))
    for bit in range(8 * len(wire)):
        wire[bit >> 3] ^= 1 << (bit & 7)
        found = Receiver(native).feed(bytes(wire))
        assert found == FrameReader().feed(bytes(wire))
        assert len(found) >= 1 and all(frame in sent for frame in found)
        wire[bit >> 3] ^= 1 << (bit & 7)


@pytest.mark.parametrize("capacity", [32, 100, 4096])
def test_garbage_is_survived_and_both_ends_agree_on_it(native, capacity):
    rng = random.Random(capacity)
    receiver, reader = Receiver(native, capacity), FrameReader(capacity)
    good = Frame(1, 2, b"after all")
    for _ in range(300):
        noise = bytes(rng.choice((0, 1, 2, 5, 254, 255, rng.randrange(256)))
                      for _ in range(rng.randrange(200)))
        assert receiver.feed(noise) == reader.feed(noise) == []
        wire = frames.encode_frame(good)
        assert receiver.feed(wire) == reader.feed(wire) == [good]
        assert receiver.state.damaged == reader.damaged


def test_a_frame_above_the_capacity_is_dropped_and_the_next_is_read(native):
    receiver, reader = Receiver(native, 32), FrameReader(32)
    fits, long = Frame(1, 1, bytes(24)), Frame(1, 1, bytes(25))
    wire = b"".join(map(frames.encode_frame, (fits, long, fits)))
    assert receiver.feed(wire) == reader.feed(wire) == [fits, fits]
    assert receiver.state.damaged == reader.damaged == 1


# -- requests ------------------------------------------------------------------------------------


def ask(device, frame):
    return FrameReader().feed(device(frames.encode_frame(frame)))


def greet(device, frame=4096, sequence=0):
    reply, = ask(device, frames.hello(sequence, 0x01020304, frame))
    return frames.read_reply(reply)


def status(found):
    frame, = found
    return frames.read_reply(frame)[0]


def test_hello_agrees_on_the_smaller_frame_and_returns_the_nonce(native):
    code, data = greet(LinkDevice(native, frame=512, window=100), frame=4096)
    version, nonce, line = frames.read_hello(data)
    assert (code, version, nonce) == (0, (frames.MAJOR, frames.MINOR), 0x01020304)
    assert (line.frame, line.window_bytes, line.window) == (512, 100, 32)


def test_hello_refuses_another_major_version_and_says_its_own(native):
    device = LinkDevice(native)
    args = frames.HELLO_ARGS.pack(9, 0, 7, 64)
    reply, = ask(device, frames.request(5, Command.HELLO, args))
    code, data = frames.read_reply(reply)
    assert code == Status.BAD_PROTOCOL and data[0] == frames.MAJOR
    assert status(ask(device, frames.request(6, Command.ECHO))) == Status.NO_SESSION


@pytest.mark.parametrize("args", [b"", bytes(7), bytes(9), frames.HELLO_ARGS.pack(1, 0, 1, 31)])
def test_hello_refuses_bad_arguments(native, args):
    device = LinkDevice(native)
    assert status(ask(device, frames.request(1, Command.HELLO, args))) == Status.BAD_REQUEST


def test_nothing_is_done_before_hello(native):
    device = LinkDevice(native)
    assert status(ask(device, frames.request(1, REVERSE, b"ab"))) == Status.NO_SESSION
    ack, = ask(device, frames.chunk(1, 0, b"x"))
    assert frames.read_ack(ack).status == Status.NO_SESSION
    assert device.commands == [] and device.event(b"boot") == b""


def test_a_request_sent_twice_is_done_once_and_answered_twice(native):
    device = LinkDevice(native)
    greet(device)
    first = ask(device, frames.request(1, REVERSE, b"abc"))
    assert first == ask(device, frames.request(1, REVERSE, b"abc"))
    assert frames.read_reply(first[0]) == (0, b"cba")
    assert device.commands == [(REVERSE, b"abc")]


def test_a_request_out_of_order_is_refused(native):
    device = LinkDevice(native)
    greet(device)
    for sequence in (2, 255, 100):
        assert status(ask(device, frames.request(sequence, REVERSE))) == Status.BAD_SEQUENCE
    assert device.commands == []


def test_sequence_numbers_wrap(native):
    device = LinkDevice(native)
    greet(device, sequence=254)
    for sequence in (255, 0, 1):
        assert status(ask(device, frames.request(sequence, Command.ECHO))) == 0


def test_a_device_at_work_says_so_and_is_not_disturbed(native):
    device = LinkDevice(native)
    greet(device)
    meanwhile = frames.encode_frame(frames.request(1, SLOW)) + frames.encode_frame(
        frames.chunk(1, 0, b"x"))
    found = FrameReader().feed(device(frames.encode_frame(frames.request(1, SLOW, meanwhile))))
    assert [frames.read_reply(frame)[0] for frame in found] == [Status.PENDING, Status.OK]


@pytest.mark.parametrize(("command", "args"), [
    (Command.INFO, b""), (Command.INFO, b"\xff\xff"), (Command.OPEN_WRITE, bytes(10)),
    (Command.OPEN_READ, bytes(6)), (Command.CLOSE, b"\1"), (Command.CLOSE, b"\1\2"),
    (Command.OPEN_WRITE, frames.WRITE_ARGS.pack(5, 0, 0) + b"a"),
    (Command.OPEN_WRITE, frames.WRITE_ARGS.pack(5, 0, 4085) + b"a"), (0, b""), (15, b"")])
def test_bad_arguments_are_refused(native, command, args):
    device = LinkDevice(native)
    greet(device)
    assert status(ask(device, frames.request(1, command, args))) == Status.BAD_REQUEST


def test_info_comes_in_pages(native):
    device = LinkDevice(native, frame=32)
    greet(device)
    record, sequence = b"", 1
    while len(record) < 64:
        reply, = ask(device, frames.request(sequence, Command.INFO,
                                            len(record).to_bytes(2, "little")))
        record += frames.read_reply(reply)[1][2:]
        sequence += 1
    assert read_info(record) == INFO and sequence == 5


def open_write(device, data, size, sequence=1):
    args = frames.WRITE_ARGS.pack(len(data), frames.zlib.crc32(data), size) + b"f"
    reply, = ask(device, frames.request(sequence, Command.OPEN_WRITE, args))
    return frames.WRITE_REPLY.unpack(frames.read_reply(reply)[1])


def test_chunks_in_any_order_and_twice_make_the_whole(native):
    data = random.Random(5).randbytes(310)
    device = LinkDevice(native)
    greet(device)
    number, window, start = open_write(device, data, 10)
    assert (window, start) == (32, 0)
    order = [n for n in range(31) for _ in range(2)]
    random.Random(6).shuffle(order)
    for n in order:
        found = ask(device, frames.chunk(number, n, data[10 * n:10 * n + 10]))
        ack = frames.read_ack(found[0])
        assert ack.number == n and n in {*range(ack.next), *ack.numbers()}
    close = frames.request(2, Command.CLOSE, frames.CLOSE_ARGS.pack(number, 1))
    assert status(ask(device, close)) == 0
    assert device.files == {"f": data}


def test_wrong_chunks_are_not_taken(native):
    data = bytes(100)
    device = LinkDevice(native, window=40)
    greet(device)
    number, window, _ = open_write(device, data, 10)
    assert window == 4
    wrong = [(0, bytes(9)), (0, bytes(11)), (0, b""), (4, bytes(10)), (10, b""), (2**32 - 1, b"")]
    for n, piece in wrong:
        ack, = ask(device, frames.chunk(number, n, piece))
        assert frames.read_ack(ack) == frames.Ack(0, n, 0, 0)
    ack, = ask(device, frames.chunk(number + 1, 0, bytes(10)))
    assert frames.read_ack(ack).status == Status.NO_TRANSFER
    close = frames.request(2, Command.CLOSE, frames.CLOSE_ARGS.pack(number, 1))
    assert status(ask(device, close)) == Status.INCOMPLETE


def test_random_frames_leave_the_device_able_to_answer(native):
    rng = random.Random(7)
    device = LinkDevice(native, frame=64, window=64)
    device.files["f"] = bytes(100)
    for step in range(3000):
        size = rng.choice((0, 1, 4, 8, 9, rng.randrange(57)))
        payload = bytes(rng.choice((0, 1, 4, 5, 6, 200, 255)) for _ in range(size))
        device(frames.encode_frame(Frame(rng.randrange(8), rng.randrange(4), payload)))
        if step % 100 == 0:
            assert greet(device)[0] == 0
    assert greet(device)[0] == 0


# -- builds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("compiler", "flags"), [
    ("gcc", ["-O3"]), ("gcc", ["-O0"]), ("clang", ["-O3"]),
    ("arm-none-eabi-gcc", ["-Os", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding"])])
def test_no_compiler_warns(root: Path, need, tmp_path, compiler, flags):
    done = subprocess.run([need(compiler), *STRICT, *flags, f"-I{root / 'native/include'}",
                           "-fstack-usage" if compiler != "clang" else "-g", "-c",
                           *map(str, link_device.SOURCES)],
                          capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_stack_and_size_are_small_and_nothing_is_global(root: Path, need, tmp_path):
    subprocess.run([need("arm-none-eabi-gcc"), "-std=c11", "-Os", "-mcpu=cortex-m4", "-mthumb",
                    "-ffreestanding", f"-I{root / 'native/include'}", "-fstack-usage", "-c",
                    *map(str, link_device.SOURCES)], check=True, cwd=tmp_path)
    usage = [line.split("\t") for path in tmp_path.glob("*.su")
             for line in path.read_text().splitlines()]
    assert usage and all(int(size) <= 256 and kind == "static" for _, size, kind in usage)
    sizes = [[int(size) for size in line.split()[:3]] for line in subprocess.run(
        ["arm-none-eabi-size", *map(str, tmp_path.glob("*.o"))], check=True, capture_output=True,
        text=True).stdout.splitlines()[1:]]
    assert sum(text for text, _, _ in sizes) <= 3072
    assert all(data == bss == 0 for _, data, bss in sizes)
