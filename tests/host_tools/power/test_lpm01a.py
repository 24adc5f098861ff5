# SPDX-License-Identifier: Apache-2.0
"""The LPM01A driver against a board that speaks its text protocol."""

import numpy as np
import pytest
from meters import BoardTransport, Lpm01aBoard, serve

from edgefm.errors import BadInput, BadMessage, DeviceError, LinkLost, LinkTimeout
from host_tools.link.transport import open_transport
from host_tools.power import lpm01a
from host_tools.power.lpm01a import Lpm01a, find_message, read_words
from host_tools.power.meter import MeterOptions


def plain(board, count):
    return b"".join(board.lines(count))


def meter_of(board, stream=plain, rate=500, **more):
    return Lpm01a(BoardTransport(board, stream, **more), MeterOptions(values={"rate": str(rate)}))


def read_all(meter, reads):
    meter.start()
    return [piece for _ in range(reads) if (piece := meter.read(0.1))]


def flat(amperes):
    return Lpm01aBoard(lambda n: np.full(len(n), amperes))


@pytest.mark.parametrize("amperes", [150e-9, 640.9e-6, 9.99e-3])
def test_lines_are_amperes(amperes):
    meter = meter_of(flat(amperes))
    pieces = read_all(meter, 3)
    got = np.concatenate([piece.values[0] for piece in pieces])
    assert len(got) == 3000 and meter.lost == 0
    assert got == pytest.approx(amperes, rel=1e-3)
    assert (pieces[0].values[1] == 3.3).all()


def test_the_board_is_set_up():
    board = flat(1e-3)
    meter_of(board).start()
    assert board.commands[0] == "htc" and board.commands[-1] == "start"
    assert {"output current", "format ascii_dec", "freq 500", "volt 3300m"} <= set(board.commands)


@pytest.mark.parametrize("rate", [0.001, 0.02])
def test_lost_lines_are_counted_by_the_boards_clock(rate):
    random = np.random.default_rng(2)
    dropped = 0

    def losing(board, count):
        nonlocal dropped
        lines = board.lines(count)
        keep = [line.startswith(b"T") or random.random() >= rate for line in lines]
        dropped += keep.count(False)
        return b"".join(line for line, kept in zip(lines, keep, strict=True) if kept)

    board = flat(1e-3)
    meter = meter_of(board, losing)
    pieces = read_all(meter, 20)
    losing_board, board.running = board, False
    pieces += [meter._piece(meter._index, [], [(0, meter._line(b"TimeStamp: 040s 000ms, buff 00%",
                                                               []))], 10**12)]
    assert losing_board.number == 20_000
    assert meter.lost == dropped > 5


def test_damaged_lines_are_lost_where_they_were():
    def damaged(board, count):
        lines = board.lines(count)
        lines[10] = b"10\xff0-03\r\n"
        return b"".join(lines)

    meter = meter_of(flat(1e-3), damaged)
    piece, = read_all(meter, 1)
    assert piece.gaps == ((9, 1),) and piece.count == 999  # the first line is a time stamp


@pytest.mark.parametrize("stamp", [" ", ">", "<", "> ", "", " >"])
def test_a_time_stamp_with_any_mark_before_it_is_no_lost_sample(stamp):
    board = Lpm01aBoard(lambda n: np.full(len(n), 1e-3), stamp)
    meter = meter_of(board)
    assert sum(piece.count for piece in read_all(meter, 3)) == 3000
    assert meter.lost == 0 and meter._stamp == (0, 0)
    assert meter._line(f"TimeStamp:{stamp}008s 000ms, buff 00%".encode(), []) == 1000


def test_what_stands_behind_a_prompt_is_read_too():
    meter, values = meter_of(flat(1e-3)), []
    assert meter._line(b"PowerShield > TimeStamp: 001s 000ms, buff 00%", values) == 0
    assert meter._line(b"PowerShield > 6409-07", values) == 0
    assert meter._stamp == (1000, 0) and values == pytest.approx([640.9e-6])
    for said in (b"PowerShield > ack start", b"PowerShield >", b"event 7 ris", b"end",
                 b"error: overcurrent", b"Acquisition completed"):
        assert meter._line(said, values) == 0


@pytest.mark.parametrize(("command", "rate"), [("freq 1k", 1000), ("freq 100k", 100_000),
                                               ("freq 500", 500)])
def test_the_emulated_board_takes_what_the_real_one_does(command, rate):
    board = flat(1e-3)
    assert f"ack {command}".encode() in board.heard(f"{command}\n".encode())
    assert board.rate == rate


@pytest.mark.parametrize("command", ["freq 7", "freq x", "freq 1kk", "freq"])
def test_the_emulated_board_refuses_other_rates(command):
    board = flat(1e-3)
    board.heard(f"{command}\n".encode())
    assert board.rate == 1000


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_any_cutting_of_the_lines_gives_the_same_samples(size, monkeypatch):
    monkeypatch.setattr("host_tools.power.meter.BATCH_SECONDS", 0)
    data = plain(flat(640.9e-6), 300)
    meter = meter_of(flat(1e-3))
    got = []
    for at in range(0, len(data), size):
        meter._transport._pending = data[at:at + size]
        if piece := meter.read(0.0):
            got.extend(piece.values[0].tolist())
    assert got == pytest.approx([640.9e-6] * 300)


def test_a_wrong_speed_is_said(monkeypatch):
    monkeypatch.setattr(lpm01a, "ANSWER_SECONDS", 0.05)
    board = flat(1e-3)
    board.heard = lambda data: b"\xf8\x80\x00" * 5
    with pytest.raises(LinkTimeout, match="expected an LPM01A at 3686400 baud"):
        meter_of(board)


def test_a_refused_command_is_said():
    board = flat(1e-3)
    board.heard = lambda data: b"PowerShield > error " + data + b"\r\n"
    with pytest.raises(DeviceError, match="refuses 'htc'"):
        meter_of(board)


def test_options_may_have_units():
    meter = Lpm01a(BoardTransport(flat(1e-3), plain), MeterOptions(values={"rate": "100k",
                                                                      "volts": "1800m"}))
    assert meter.rate == 100_000 and meter.source["volts"] == 1.8


@pytest.mark.parametrize("values", [{"rate": "7"}, {"volts": "5"}, {"mode": "x"}])
def test_wrong_options_are_refused(values):
    with pytest.raises(BadInput):
        Lpm01a(BoardTransport(flat(1e-3), plain), MeterOptions(values=values))


def test_a_board_that_is_unplugged_says_so():
    with pytest.raises(LinkLost, match="unplugged"):
        read_all(meter_of(flat(1e-3), reads=2), 5)


def test_through_a_real_port():
    name, unplug = serve(flat(2e-3), plain, 500)
    meter = Lpm01a(open_transport(name), MeterOptions(values={"rate": "500"}))
    try:
        meter.start()
        pieces = []
        while sum(piece.count for piece in pieces) < 100:
            piece = meter.read(5.0)
            assert piece, "no sample for 5 s"
            pieces.append(piece)
        assert pieces[-1].values[0] == pytest.approx(2e-3)
        meter.stop()
    finally:
        meter.close()
        unplug()


# -- words -----------------------------------------------------------------------------------------

FAST = 100_000


def in_words(board, count):
    return b"".join(board.words(count))


def fast(board, stream=in_words, **more):
    return Lpm01a(BoardTransport(board, stream, samples=7_500, **more),
                  MeterOptions(values={"rate": str(FAST)}))


def read_seconds(meter, count):
    """What came until `count` time stamps; the driver has said all that it can then."""
    meter.start()
    pieces = []
    while meter._transport.board.number < (count - 1) * FAST + 8_000:
        if piece := meter.read(0.1):
            pieces.append(piece)
    while piece := meter.read(0.0):
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize("amperes", [150e-9, 640.9e-6, 9.99e-3, 49e-3])
def test_words_are_amperes(amperes):
    board = flat(amperes)
    meter = fast(board)
    pieces = read_seconds(meter, 3)
    got = np.concatenate([piece.values[0] for piece in pieces])
    assert len(got) == 2 * FAST and meter.lost == 0
    assert got == pytest.approx(amperes, rel=1 / 256)
    assert max(piece.count for piece in pieces) <= lpm01a.PIECE
    assert "format bin_hexa" in board.commands and f"freq {FAST}" in board.commands


def test_every_word_is_what_it_stands_for():
    data = b"".join(bytes([k << 4 | n >> 8, n & 255]) for k, n in ((0, 1), (3, 4095), (14, 256)))
    assert read_words(data) == pytest.approx([1.0, 4095 / 16 ** 3, 256 / 16 ** 14])
    assert read_words(data[:-1]) is None and read_words(b"\xf1\x00") is None
    assert len(read_words(b"")) == 0


def test_messages_are_found_between_words():
    stamp = b"\xf0\xf3\x80\x01\xf0\xf3\x07\xff\xff"  # its time looks like a message
    found = find_message(b"\x12\x34" + stamp + b"\x12")
    assert (found.start, found.end, found.stamp, found.whole) == (2, 11, 0x1F0F3, True)
    for cut in range(2, len(stamp)):
        assert find_message(b"\x12" + stamp[:cut]) is None
    told = find_message(b"\xf0\xf2hello\xff\xff\x11")
    assert (told.end, told.stamp) == (9, None)
    assert find_message(b"\xf0\xf7\x0c\xe4\xff\xff").end == 6
    assert find_message(b"\xf0\xf3\x00\x00\x00\x07\xff\xff\x11").whole is False
    assert find_message(b"\x12\xf0\x12\x34\xff") is None


@pytest.mark.parametrize("cut", [1, 2_000, 2_001])
def test_bytes_that_are_lost_cost_what_lies_between_two_stamps(cut):
    """Whatever was lost: nothing of that second is trusted, and how much is missing is known."""
    def losing(board, count):
        data = in_words(board, count)
        return data[:100] + data[100 + cut:] if board.number == 27 * 7_500 else data

    board = Lpm01aBoard(lambda n: np.where(n < 2 * FAST, 1e-3, 2e-3))
    pieces = read_seconds(fast(board, losing), 4)
    got = np.concatenate([piece.values[0] for piece in pieces])
    assert len(got) == 2 * FAST and sum(piece.lost for piece in pieces) == FAST
    assert set(np.round(got, 5)) <= {1e-3, 2e-3}


def test_a_lost_time_stamp_costs_nothing_and_a_damaged_one_its_seconds():
    def without(change):
        def stream(board, count):
            pieces = board.words(count)
            return b"".join(change(p) if p[:2] == b"\xf0\xf3" and p[5] >> 2 == 1000 >> 2 & 63
                            and p[4] == 3 else p for p in pieces)
        return stream

    meter = fast(flat(1e-3), without(lambda stamp: b""))
    assert sum(p.count for p in read_seconds(meter, 4)) == 3 * FAST and meter.lost == 0
    meter = fast(flat(1e-3), without(lambda stamp: stamp[:5] + stamp[6:]))
    assert sum(p.count for p in read_seconds(meter, 4)) == FAST and meter.lost == 2 * FAST


def test_any_cutting_of_the_words_gives_the_same_samples(monkeypatch):
    monkeypatch.setattr("host_tools.power.meter.BATCH_SECONDS", 0)
    board = flat(640.9e-6)
    board.rate = FAST
    data = in_words(board, FAST + 1)
    meter = fast(flat(1e-3))
    got = 0
    for at in range(0, len(data), 997):
        meter._transport._pending = data[at:at + 997]
        while piece := meter.read(0.0):
            got += piece.count
    assert got == FAST


def test_words_through_a_real_port_have_their_times():
    name, unplug = serve(flat(2e-3), in_words, 10_000)
    meter = Lpm01a(open_transport(name), MeterOptions(values={"rate": "10000"}))
    try:
        meter.start()
        pieces = []
        while sum(piece.count for piece in pieces) < 20_000:
            if piece := meter.read(5.0):
                pieces.append(piece)
        seconds = (pieces[1].start - pieces[0].start) * 1e-9
        assert seconds == pytest.approx(1.0, abs=0.2)
        assert pieces[-1].values[0] == pytest.approx(2e-3, rel=1e-3) and meter.lost == 0
        meter.stop()
    finally:
        meter.close()
        unplug()


def test_a_stream_without_time_stamps_is_refused():
    meter = fast(flat(1e-3), lambda board, count: b"\x12\x34" * count)
    meter.start()
    with pytest.raises(BadMessage, match="no time stamp"):
        for _ in range(200):
            meter.read(0.1)
