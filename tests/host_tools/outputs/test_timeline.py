# SPDX-License-Identifier: Apache-2.0
"""Slices of a track follow one another whatever the times are; names are short and differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.measurement.align import Alignment, Stages
from host_tools.outputs.timeline import FAR, NAME_MOST, clip, label, lay_out, moment

ANY = st.one_of(st.floats(), st.floats(-1, 10))
USUAL = st.floats(0, 100)


def stages(starts, tooks, error=0.0):
    count = np.zeros(len(starts), np.int64)
    start = np.array(starts, float)
    return Stages(count, count, start, start + np.array(tooks, float),
                  Alignment("link", error, ""))


@given(st.lists(st.tuples(ANY, ANY), max_size=20), st.floats(0, 1e300))
def test_no_slice_overlaps_the_next_whatever_the_times_are(pairs, error):
    with np.errstate(invalid="ignore", over="ignore"):
        found = list(lay_out(stages([a for a, _ in pairs], [b for _, b in pairs], error)))
    assert len(found) == len(pairs)
    edges = [edge for each in found for edge in each]
    assert edges == sorted(edges) and all(0 <= edge <= FAR for edge in edges)


@given(st.lists(st.tuples(USUAL, st.floats(0, 2)), max_size=20), st.floats(0, 0.5))
def test_a_slice_moves_by_no_more_than_its_error_and_never_grows(pairs, error):
    pairs = sorted(pairs)
    found = list(lay_out(stages([a for a, _ in pairs], [b for _, b in pairs], error)))
    for (start, took), (first, last) in zip(pairs, found, strict=True):
        assert start - error - 1e-6 <= first / 1e6 <= start + 1e-6
        assert (last - first) / 1e6 <= took + 1e-6


@given(st.lists(st.tuples(st.floats(0.002, 0.1), st.floats(0, 0.01), st.floats(0, 0.01)),
                max_size=20))
def test_late_events_within_the_error_leave_every_duration(steps):
    true = 1 + np.cumsum([0.0] + [took + idle for took, idle, _ in steps])[:-1]
    tooks = [took for took, _, _ in steps]
    came = np.maximum.accumulate(true + [late for *_, late in steps]) if steps else true
    found = list(lay_out(stages(came, tooks, 0.02)))
    assert [last - first for first, last in found] == pytest.approx([1e6 * t for t in tooks], abs=1)


@pytest.mark.parametrize(("name", "drawn"), [
    ("conv", "3 conv"), ("a/conv;a/relu;a/pool", "3 a/conv"), ("", "3"), ("x\ny", "3 x y"),
    ("a;b .. y;z", "3 a .. y"), ("p" * 30 + " .. " + "q" * 30, f"3 …{'p' * 17} .. …{'q' * 17}"),
    ("a .. b .. c", "3 a .. b .. c")])
def test_a_stages_name_has_its_first_and_its_last(name, drawn):
    assert label(3, name) == drawn


@given(st.text(max_size=200))
def test_names_are_one_short_line(text):
    line = clip(text)
    assert line.isprintable() and len(line) <= NAME_MOST
    assert len(label(12345, text)) <= NAME_MOST + 6


@pytest.mark.parametrize(("seconds", "found"), [
    (1.0000004, 1_000_000), (-1.0, 0), (float("nan"), 0), (float("inf"), FAR)])
def test_a_moment_is_a_whole_number_of_microseconds(seconds, found):
    assert moment(seconds) == found
