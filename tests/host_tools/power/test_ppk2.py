# SPDX-License-Identifier: Apache-2.0
"""The PPK2 driver against a kit that speaks its wire protocol: values, losses, wrong lines."""

import numpy as np
import pytest
from meters import METADATA, BoardTransport, Ppk2Board, serve, stages

from edgefm.errors import BadInput, BadMessage, LinkLost, LinkTimeout
from host_tools.link.transport import open_transport
from host_tools.power import ppk2
from host_tools.power.meter import MeterOptions
from host_tools.power.meters import check_meter
from host_tools.power.ppk2 import Ppk2, read_calibration, split_words

SOURCE = MeterOptions(values={"mode": "source", "volts": "3.3"})


def plain(board, count):
    return board.words(count).tobytes()


def meter_of(board, stream=plain, options=SOURCE, **more):
    return Ppk2(BoardTransport(board, stream, **more), options)


def read_all(meter, reads):
    meter.start()
    pieces = [piece for _ in range(reads) if (piece := meter.read(0.1))]
    meter.stop()
    return pieces


def flat(amperes):
    return Ppk2Board(lambda n: np.full(len(n), amperes))


@pytest.mark.parametrize("amperes", [2e-6, 90e-6, 1e-3, 26e-3, 0.4])
def test_every_range_gives_the_loads_current(amperes):
    pieces = read_all(meter_of(flat(amperes)), 3)
    got = np.concatenate([piece.values[0] for piece in pieces])
    assert len(got) == 3000
    assert got.mean() == pytest.approx(amperes, rel=0.01)


def test_the_factors_of_the_calibration_are_used():
    text = METADATA.replace("UG3: 1.0000", "UG3: 2.0000").replace("I3: 0.0000", "I3: 0.0010")
    board = Ppk2Board(lambda n: np.full(len(n), 26e-3), metadata=text)
    got = read_all(meter_of(board), 1)[0].values[0]
    assert got.mean() == pytest.approx(2 * (26e-3 + 1e-3), rel=0.01)
    nonsense = read_calibration("R0: -nan\nR1: 0.0\nO2: 7.5\nGI9: 4\nS1: abc\n")
    assert (nonsense.r[0], nonsense.r[1], nonsense.o[2], nonsense.s[1]) == (1031.64, 101.65, 7.5, 0)


def test_source_mode_sets_the_voltage_and_powers_the_board():
    board = flat(1e-3)
    meter = meter_of(board)
    meter.start()
    assert bytes([0x11, 2, 0x0D, 3300 >> 8, 3300 & 255, 0x0C, 1]) in bytes(board.commands)
    piece = meter.read(0.1)
    assert (piece.values[1] == 3.3).all()
    assert [c.quantity for c in meter.columns] == ["amperes", "volts", "watts", "digital"]


def test_ampere_mode_touches_no_supply_and_knows_no_watts_without_volts():
    board = flat(1e-3)
    meter = meter_of(board, options=MeterOptions())
    meter.start()
    assert 0x0D not in board.commands and 0x0C not in board.commands
    assert [c.quantity for c in meter.columns] == ["amperes", "digital"]


@pytest.mark.parametrize("values", [{"mode": "source"}, {"mode": "source", "volts": "9"},
                                    {"volts": "x"}, {"mode": "smu"}, {"speed": "1"}])
def test_wrong_options_are_refused(values):
    with pytest.raises(BadInput):
        meter_of(flat(1e-3), options=MeterOptions(values=values))


def test_the_inputs_are_the_markers():
    load, pins, _ = stages([0.001, 0.002], [1e-3, 2e-3], 100_000)
    piece = read_all(meter_of(Ppk2Board(load, pins), samples=600), 1)[0]
    np.testing.assert_array_equal(piece.values[2][:300], [1] * 100 + [2] * 200)


@pytest.mark.parametrize("rate", [0.001, 0.05])
def test_every_lost_word_is_counted_where_it_was(rate):
    random = np.random.default_rng(3)
    dropped = []

    def losing(board, count):
        number = board.number + np.arange(count)
        words = board.words(count)
        keep = random.random(count) >= rate
        keep[-24:] = True  # a loss at the very end cannot be seen yet
        dropped.extend(number[~keep].tolist())
        return words[keep].tobytes()

    board = Ppk2Board(lambda n: np.full(len(n), 26e-3))
    meter = meter_of(board, losing)
    pieces = read_all(meter, 50)
    assert meter.lost == sum(piece.lost for piece in pieces) == len(dropped) > 10
    assert sum(piece.count for piece in pieces) == 50_000 - len(dropped)
    index, at = [], 0
    for piece in pieces:
        here = np.arange(piece.count)
        for position, lost in piece.gaps:
            here[position:] += lost
        index.extend((here + at).tolist())
        at += piece.count + piece.lost
    assert sorted(set(range(50_000)) - set(index)) == dropped


@pytest.mark.parametrize("lost", range(1, 30))
def test_lost_bytes_cost_the_words_they_were_of(lost):
    data = bytearray(flat(26e-3).words(300).tobytes())
    del data[401:401 + lost]
    words, gaps, used = split_words(bytes(data), None)
    assert used >= len(data) - 3
    missing = lost // 4 if lost % 4 == 0 else len({at // 4 for at in range(401, 401 + lost)})
    assert sum(n for _, n in gaps) == missing == 300 - len(words)
    only_low_bits_differ(words)


def only_low_bits_differ(words):
    """Of a word that was put together of two, the counter's part is right, so it looks right."""
    plain = [int(word) & 0x1FFFF for word in words]
    odd = [word for word in plain if word != plain[0]]
    assert len(odd) <= 1 and all(word >> 8 == plain[0] >> 8 for word in odd)


@pytest.mark.parametrize("inserted", range(1, 12))
def test_inserted_bytes_are_no_samples(inserted):
    data = flat(26e-3).words(300).tobytes()
    random = np.random.default_rng(inserted).bytes(inserted)
    words, gaps, _ = split_words(data[:401] + random + data[401:], None)
    assert len(words) + sum(n for _, n in gaps) == 300
    only_low_bits_differ(words)


def test_a_damaged_counter_costs_its_word():
    data = bytearray(flat(26e-3).words(300).tobytes())
    data[402] ^= 0x40
    words, gaps, _ = split_words(bytes(data), None)
    assert (len(words), gaps) == (299, [(100, 1)])


def test_any_cutting_of_the_stream_gives_the_same_words():
    data = bytearray(flat(26e-3).words(500).tobytes())
    del data[800:808], data[1201]
    whole, whole_gaps, _ = split_words(bytes(data), None)
    for size in (1, 3, 7, 64, 333):
        rest, before, got, lost = b"", None, [], 0
        for at in range(0, len(data), size):
            rest += bytes(data[at:at + size])
            words, gaps, used = split_words(rest, before)
            rest = rest[used:]
            lost += sum(n for _, n in gaps)
            if len(words):
                before = int(words[-1] >> 18 & 63)
                got.extend(words.tolist())
        assert (got, lost) == (whole.tolist(), sum(n for _, n in whole_gaps))


def test_a_silent_port_is_no_kit():
    with pytest.raises(LinkTimeout, match="no bytes; is it another device"):
        ppk2.ANSWER_SECONDS, kept = 0.05, ppk2.ANSWER_SECONDS
        try:
            meter_of(Ppk2Board(lambda n: n, metadata=""))
        finally:
            ppk2.ANSWER_SECONDS = kept


def test_another_answer_is_no_kit():
    with pytest.raises(BadMessage, match="holds no calibration"):
        meter_of(Ppk2Board(lambda n: n, metadata="hello END"))


def test_garbage_is_no_stream():
    random = np.random.default_rng(1)
    meter = meter_of(flat(1e-3), lambda board, count: random.bytes(4 * count))
    with pytest.raises(BadMessage, match="not samples of a PPK2"):
        read_all(meter, 20)


def test_a_kit_that_is_unplugged_says_so():
    meter = meter_of(flat(1e-3), reads=2)
    with pytest.raises(LinkLost, match="unplugged"):
        read_all(meter, 5)


def test_through_a_real_port_until_it_is_unplugged():
    name, unplug = serve(flat(26e-3), plain, 20_000)
    meter = Ppk2(open_transport(name), SOURCE)
    try:
        tested = check_meter(meter, 0.3)
        assert "expected 100,000" in tested.problem  # this kit is slower than a kit is
        assert tested.samples > 1000 and tested.lost == 0
        assert tested.watts == pytest.approx(26e-3 * 3.3, rel=0.01)
        meter.start()
        unplug()
        with pytest.raises(LinkLost, match="gone"):
            for _ in range(100):
                meter.read(0.1)
    finally:
        meter.close()


def test_calibration_in_other_words_is_the_same():
    found = read_calibration("R0 : 1000.5\nR1=1.1e2\nUG3:  0.9\nXR2: 5")
    assert (found.r[0], found.r[1], found.r[2], found.ug[3]) == (1000.5, 110.0, 10.15, 0.9)
