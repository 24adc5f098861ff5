# SPDX-License-Identifier: Apache-2.0
"""The LPM01A driver against a board that speaks its text protocol."""

import numpy as np
import pytest
from meters import BoardTransport, Lpm01aBoard, serve

from edgefm.errors import BadInput, DeviceError, LinkLost, LinkTimeout
from host_tools.link.transport import open_transport
from host_tools.power import lpm01a
from host_tools.power.lpm01a import Lpm01a
from host_tools.power.meter import Options


def plain(board, count):
    return b"".join(board.lines(count))


def meter_of(board, stream=plain, rate=500, **more):
    return Lpm01a(BoardTransport(board, stream, **more), Options(values={"rate": str(rate)}))


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


@pytest.mark.parametrize("values", [{"rate": "7"}, {"volts": "5"}, {"mode": "x"}])
def test_wrong_options_are_refused(values):
    with pytest.raises(BadInput):
        Lpm01a(BoardTransport(flat(1e-3), plain), Options(values=values))


def test_a_board_that_is_unplugged_says_so():
    with pytest.raises(LinkLost, match="unplugged"):
        read_all(meter_of(flat(1e-3), reads=2), 5)


def test_through_a_real_port():
    name, unplug = serve(flat(2e-3), plain, 500)
    meter = Lpm01a(open_transport(name), Options(values={"rate": "500"}))
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
