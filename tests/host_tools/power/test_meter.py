# SPDX-License-Identifier: Apache-2.0
"""Times of samples from when they arrived."""

import numpy as np
import pytest

from edgefm.errors import BadInput
from host_tools.power.meter import Answer, MeterOptions, Piece, SampleClock

RATE = 10_000
PERIOD = 100_000


def arrivals(clock, seconds, late, rate_error=0.0, start=0, base=0):
    """Samples that arrive in groups of 100, each `late(i)` ns after its last one was taken."""
    worst = 0.0
    for group in range(round(seconds * 100)):
        index = start + (group + 1) * 100 - 1
        taken = base + index * PERIOD * (1 + rate_error)
        clock.observe(index, round(taken + late(group)))
        worst = max(worst, abs(clock.time(index) - taken))
    return worst


def test_late_arrivals_do_not_move_the_times():
    clock = SampleClock(RATE)
    random = np.random.default_rng(0)
    late = random.exponential(2e6, 10_000)
    late[::7] = 200_000
    arrivals(clock, 1, lambda group: late[group])
    assert arrivals(clock, 20, lambda group: late[group], start=RATE) < 1e6
    assert clock.error() < 2e-3


@pytest.mark.parametrize("drift", [100e-6, -100e-6])
def test_another_crystal_is_followed(drift):
    clock = SampleClock(RATE)
    assert arrivals(clock, 60, lambda group: 100_000 + group % 10 * 10_000, drift) < 0.5e6


def test_samples_that_stay_late_have_lost_others_in_front():
    clock = SampleClock(RATE)
    arrivals(clock, 2, lambda group: 100_000)
    arrivals(clock, 3, lambda group: 100_000, start=2 * RATE, base=400_000_000)
    index = 5 * RATE - 1
    assert clock.time(index) == pytest.approx(index * PERIOD + 400e6, abs=1e6)


def test_a_piece_knows_its_seconds():
    values = (np.zeros(4),)
    assert Piece(values, 0, 5_000_000_000, gaps=((2, 2),)).seconds.tolist() == [0, 1, 4, 5]
    assert Piece(values, times=np.array([1, 2, 3, 9]) * 10**9).seconds.tolist() == [1, 2, 3, 9]


def test_options_are_checked():
    options = MeterOptions("x", {"volts": "3.3", "mode": "a"})
    assert options.number("volts") == 3.3 and options.number("rate", 5.0) == 5.0
    assert options.choice("mode", ("b", "a")) == "a"
    with pytest.raises(BadInput, match="expected volts"):
        options.allow("volts")
    with pytest.raises(BadInput, match="expected b or c"):
        options.choice("mode", ("b", "c"))
    for text, value in (("100k", 1e5), ("3300m", 3.3), ("1M", 1e6), ("1e3", 1e3), (" .5 ", 0.5)):
        assert MeterOptions(values={"rate": text}).number("rate") == value
    for wrong in ("", "-1", "0", "nan", "inf", "x", "k", "1kk", "1 V", "1e999", "\u0663"):
        with pytest.raises(BadInput, match="above 0"):
            MeterOptions(values={"volts": wrong}).number("volts")


class Quiet:
    """A transport that says one thing after another; its reads of silence take a millisecond."""

    def __init__(self, *said):
        self.said = list(said)

    def read(self, timeout):
        return self.said.pop(0) if self.said else b""


def test_a_host_that_was_stopped_has_not_waited_for_an_answer(monkeypatch):
    jumps = iter(range(0, 10**6, 60))  # a minute between any two looks at the clock
    monkeypatch.setattr("host_tools.power.meter.time.monotonic", lambda: next(jumps))
    answer = Answer(Quiet(b"", b"", b"ab", b"", b"cd"), 0.35, 100)
    assert b"".join(answer) == b"abcd" and answer.heard == 4


def test_an_answer_without_end_is_given_up():
    answer = Answer(Quiet(*[b"x" * 10] * 100), 1.0, 55)
    assert len(b"".join(answer)) == 60
