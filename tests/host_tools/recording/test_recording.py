# SPDX-License-Identifier: Apache-2.0
"""What was recorded is read back: ranges, gaps, envelopes, zips, while it grows, after kill -9."""

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from edgefm.errors import BadInput
from host_tools.recording import Column, Recorder, Recording, pack
from host_tools.recording.chunks import BLOCK, HEAD_BYTES

COLUMNS = [Column("VDD", "amperes", 1e-9), Column("VDD", "volts", 1e-3),
           Column("VDD", "watts", product=(0, 1)), Column("pins", "digital")]
RATE = 10_000
STEP = 100_000  # ns


def feed(channel, count, at=0, gaps=(), start=None):
    """Samples `at` to `at + count`: a ramp in uA, 3.3 V, a counter on the pins."""
    number = np.arange(at, at + count)
    start = at * STEP if start is None else start
    lost = sum(n for p, n in gaps if p)
    channel.append([number * 1e-6, np.full(count, 3.3), number & 255], start,
                   start + (count - 1 + lost) * STEP, gaps)


@pytest.fixture
def folder(tmp_path):
    """A finished recording: two seconds of samples in 20 pieces, 100 events."""
    path = tmp_path / "run"
    with Recorder(path, {"run": {"command": "test"}}) as recorder:
        meter = recorder.samples("meter", COLUMNS, RATE, {"serial": "1"})
        device = recorder.events("device")
        for piece in range(20):
            feed(meter, 1000, piece * 1000)
            if piece == 9:
                recorder.flush()
        for number in range(100):
            device.append(number * 20_000_000, bytes([number]) * number, 3 if number == 7 else 0)
    return path


def test_samples_come_back_in_their_units(folder):
    with Recording(folder) as recording:
        meter = recording.samples["meter"]
        got = meter.read()
        number = np.arange(20_000)
        assert (meter.count, meter.lost, meter.rate, recording.problems) == (20_000, 0, RATE, [])
        np.testing.assert_allclose(got.times, number * 1e-4, atol=1e-9)
        np.testing.assert_allclose(got.column("amperes"), number * 1e-6, atol=1e-12)
        np.testing.assert_allclose(got.column("watts"), number * 3.3e-6, rtol=1e-9)
        assert (got.column("digital", "pins") == (number & 255)).all()
        assert (got.index == number).all()
        assert recording.meta["run"] == {"command": "test"}
        assert recording.meta["state"] == "complete"


@pytest.mark.parametrize(("start", "stop"), [(0.0, 0.0), (0.5, 0.5001), (0.9995, 1.0005),
                                             (-5.0, 0.1), (1.9, 99.0), (3.0, 4.0)])
def test_a_range_is_exactly_what_is_inside(folder, start, stop):
    with Recording(folder) as recording:
        times = recording.samples["meter"].read(start, stop).times
        everything = recording.samples["meter"].read().times
        np.testing.assert_array_equal(
            times, everything[(everything >= start) & (everything < stop)])


def test_events_come_back_with_what_was_missed(folder):
    with Recording(folder) as recording:
        device = recording.events["device"]
        got = list(device.read())
        assert [e.payload for e in got] == [bytes([n]) * n for n in range(100)]
        assert [e.missed for e in got] == [3 if n == 7 else 0 for n in range(100)]
        assert (device.count, device.lost) == (100, 3)
        assert [e.time for e in device.read(0.1, 0.2)] == [0.1, 0.12, 0.14, 0.16, 0.18]


def test_lost_samples_are_gaps_and_not_values(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", COLUMNS, RATE)
        feed(meter, 100)
        feed(meter, 90, at=100, gaps=[(0, 5), (40, 5)], start=105 * STEP)
        recorder.flush()
        meter.lose(64)
        feed(meter, 10, start=(105 + 95 + 64) * STEP)
        assert meter.lost == 74
    with Recording(tmp_path) as recording:
        meter = recording.samples["meter"]
        got, gaps = meter.read(), list(meter.gaps())
        assert (meter.count, meter.lost, len(got.times)) == (200, 74, 200)
        assert [(g.lost, g.why) for g in gaps] == [(5, "lost"), (5, "lost"), (64, "lost")]
        np.testing.assert_allclose([g.start for g in gaps], [99e-4, 144e-4, 199e-4], atol=1e-8)
        np.testing.assert_allclose(got.times, got.index * 1e-4, atol=1e-8)


@pytest.mark.parametrize("timed", [False, True])
def test_a_large_piece_is_parted(tmp_path, timed):
    count = 300_000
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("m", [Column("VDD", "watts", 1e-6)], None if timed else RATE)
        values = np.arange(count) * 1e-6
        gaps = [(0, 3), (65_536, 5), (200_000, 7)]
        index = np.arange(count)
        index[65_536:] += 5
        index[200_000:] += 7
        if timed:
            meter.append_timed([values], index * STEP, gaps)
        else:
            meter.append([values], 0, int(index[-1]) * STEP, gaps)
    with Recording(tmp_path) as recording:
        meter = recording.samples["m"]
        got = meter.read()
        assert recording.problems == [] and meter.lost == 15
        assert (got.index == index + 3).all()
        np.testing.assert_allclose(got.times, index * 1e-4, atol=2e-9)
        assert [g.lost for g in meter.gaps()] == [5, 7]


def test_a_gap_behind_a_piece_is_in_front_of_the_next(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", COLUMNS, RATE)
        feed(meter, 100, gaps=[(100, 7)])
        feed(meter, 100, at=100, start=107 * STEP)
    with Recording(tmp_path) as recording:
        meter = recording.samples["meter"]
        assert (meter.read().index == np.delete(np.arange(207), np.arange(100, 107))).all()
        assert [(g.lost, g.why) for g in meter.gaps()] == [(7, "lost")] and meter.lost == 7


def test_samples_that_go_on_later_leave_a_gap_of_unknown_size(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", COLUMNS, RATE)
        feed(meter, 100)
        feed(meter, 100, at=100, start=900 * STEP)
    with Recording(tmp_path) as recording:
        gap, = recording.samples["meter"].gaps()
        assert (gap.lost, gap.why) == (-1, "lost")
        assert gap.start == pytest.approx(99e-4) and gap.end == pytest.approx(900e-4)


def test_samples_may_have_their_own_times(tmp_path):
    times = np.cumsum(np.random.default_rng(1).integers(1, 10**9, 3000))
    with Recorder(tmp_path) as recorder:
        rails = recorder.samples("pmic", [Column("DDR", "watts", 1e-6)])
        rails.append_timed([np.arange(1000) * 1e-3], times[:1000])
        rails.append_timed([np.arange(1000, 3000) * 1e-3], times[1000:], [(5, 2)])
    with Recording(tmp_path) as recording:
        rails = recording.samples["pmic"]
        np.testing.assert_allclose(rails.read().times, times / 1e9, rtol=1e-15)
        assert rails.rate is None and rails.lost == 2
        assert [g.lost for g in rails.gaps()] == [2]


@pytest.mark.parametrize("count", [1, 2, BLOCK, 5000, 200_000])
def test_envelope_holds_every_sample(tmp_path, count):
    values = np.random.default_rng(count).normal(0.1, 0.03, count)
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", [Column("VDD", "watts", 1e-9)], RATE)
        for at in range(0, count, 7000):
            part = values[at:at + 7000]
            meter.append([part], at * STEP, (at + len(part) - 1) * STEP)
    with Recording(tmp_path) as recording:
        drawn = recording.samples["meter"].envelope("watts", buckets=20)
    assert np.nanmin(drawn.low) == pytest.approx(values.min(), rel=1e-6)
    assert np.nanmax(drawn.high) == pytest.approx(values.max(), rel=1e-6)
    assert (drawn.low <= drawn.mean + 1e-9)[~np.isnan(drawn.mean)].all()
    assert len(drawn.edges) == 21


def test_envelope_is_empty_where_nothing_was_taken(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", COLUMNS, RATE)
        feed(meter, 100)
        feed(meter, 100, start=900 * STEP)
    with Recording(tmp_path) as recording:
        drawn = recording.samples["meter"].envelope(buckets=10)
    assert np.isnan(drawn.mean).tolist() == [False] + [True] * 8 + [False]


def test_a_zip_is_as_good_as_the_folder(folder, tmp_path):
    pack(folder, tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"run/{path.name}")
    with Recording(folder) as recording:
        wanted = recording.samples["meter"].read(0.3, 1.7)
    for name in ("run.zip", "packed.zip"):
        with Recording(tmp_path / name) as recording:
            got = recording.samples["meter"].read(0.3, 1.7)
            np.testing.assert_array_equal(got.values, wanted.values)
            assert recording.events["device"].count == 100
            assert recording.problems == [] and recording.meta["state"] == "complete"


def test_a_zip_that_lost_its_end_opens_as_far_as_it_is_good(folder, tmp_path):
    pack(folder, tmp_path / "run.zip")
    data = (tmp_path / "run.zip").read_bytes()
    whole = data.index(b"1.events")
    (tmp_path / "cut.zip").write_bytes(data[:whole - 1000])
    with Recording(tmp_path / "cut.zip") as recording:
        assert recording.samples["meter"].read().times[-1] >= 0.9
        assert any("zip is damaged" in problem for problem in recording.problems)


def test_a_recording_is_followed_while_it_grows(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", COLUMNS, RATE)
        with Recording(tmp_path) as recording:
            assert recording.is_growing() and recording.samples["meter"].count == 0
            assert not recording.refresh()
            feed(meter, 500)
            recorder.flush()
            device = recorder.events("device")
            device.append(1, b"hello")
            recorder.flush()
            assert recording.refresh()
            assert recording.samples["meter"].count == 500
            assert [e.payload for e in recording.events["device"].read()] == [b"hello"]
            recorder.close()
            assert recording.refresh() and not recording.is_growing()
            assert recording.problems == []


WRITER = """
import sys, time, numpy as np
from pathlib import Path
from host_tools.recording import Column, Recorder
recorder = Recorder(Path(sys.argv[1]))
meter = recorder.samples("meter", [Column("VDD", "amperes", 1e-9)], 10_000)
device = recorder.events("device")
print("ready", flush=True)
while True:
    now = recorder.now()
    meter.append([np.ones(10)], now, now + 900_000)
    device.append(now, now.to_bytes(8, "little"))
    print(now, flush=True)
    time.sleep(0.002)
"""


def test_kill_9_loses_at_most_the_last_second(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], text=True,
                             stdout=subprocess.PIPE)
    assert child.stdout.readline() == "ready\n"
    last = 0
    while last < 1_300_000_000:
        last = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    last = max([last, *(int(line) for line in child.stdout.read().split() if line.isdecimal())])
    child.wait()
    child.stdout.close()
    with Recording(tmp_path) as recording:
        for channel in (recording.samples["meter"], recording.events["device"]):
            assert last / 1e9 - channel.span[1] < 1.0
            assert channel.count > 0
        events = list(recording.events["device"].read())
        assert all(abs(int.from_bytes(e.payload, "little") / 1e9 - e.time) < 1e-6 for e in events)
        assert not recording.is_growing()
        assert any("ended before it closed" in problem for problem in recording.problems)


def test_a_channel_that_ends_says_why(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", COLUMNS, RATE)
        feed(meter, 10)
        meter.finish("unplugged", recorder.now())
    with Recording(tmp_path) as recording:
        assert recording.samples["meter"].ended == "unplugged"
        assert recording.samples["meter"].count == 10


def test_a_value_that_is_none_is_refused(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", [Column("VDD", "amperes", 1e-9)], RATE)
        for wrong in ([np.nan], [np.inf], [1e300]):
            with pytest.raises(ValueError, match="not a number"):
                meter.append([wrong], 0, 0)
        with pytest.raises(ValueError, match="columns"):
            meter.append([[1], [2]], 0, 0)
        assert meter.count == 0


def test_memory_stays_bounded_while_writing_and_reading(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", [Column("VDD", "amperes", 1e-9)], 100_000)
        noise = np.random.default_rng(0).normal(0.02, 1e-4, 10_000)
        tracemalloc.start()
        for piece in range(200):
            meter.append([noise], piece * 100_000_000, piece * 100_000_000 + 99_990_000)
        with Recording(tmp_path) as recording:
            count = sum(len(p.times) for p in recording.samples["meter"].chunks())
            recording.samples["meter"].envelope("amperes", buckets=100)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count >= 1_900_000
    assert peak < 16 << 20  # all of it would be 48 MB of floats


def test_a_recording_is_not_written_over(folder):
    with pytest.raises(BadInput, match="holds a recording already"):
        Recorder(folder)


@pytest.mark.parametrize("make", [
    lambda p: p.mkdir(), lambda p: p.write_bytes(b"PK"), lambda p: p.write_text("{}"),
    lambda p: None])
def test_what_is_no_recording_is_refused_in_one_line(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(BadInput, match="not a recording|no such file") as error:
        Recording(tmp_path / "x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("meta", "message"), [
    ({"format": "other", "version": 1}, "not describe an edgefm recording"),
    ({"format": "edgefm-recording", "version": 2}, "newer edgefm"),
])
def test_another_format_is_refused(folder, meta, message):
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(BadInput, match=message):
        Recording(folder)


def test_missing_meta_is_a_problem_and_not_the_end(folder):
    (folder / "meta.json").write_text("{")
    with Recording(folder) as recording:
        assert recording.samples["meter"].count == 20_000
        assert any("meta.json" in problem for problem in recording.problems)


def test_a_damaged_chunk_costs_its_own_samples_only(folder):
    path = folder / "0.samples"
    data = bytearray(path.read_bytes())
    at = data.index(b"EFRC", data.index(b"EFRC", 1) + 1)  # the second chunk with samples
    data[at + HEAD_BYTES + 40] ^= 1
    path.write_bytes(data)
    with Recording(folder) as recording:
        meter = recording.samples["meter"]
        assert len(meter.read().times) == 10_000
        problem, = recording.problems
        assert "damaged body" in problem and "10000 entries" in problem
        assert [g.why for g in meter.gaps()] == ["damaged"]


def test_a_damaged_head_costs_its_own_samples_only(folder):
    path = folder / "0.samples"
    data = bytearray(path.read_bytes())
    data[data.index(b"EFRC", 1) + 20] ^= 1
    path.write_bytes(data)
    with Recording(folder) as recording:
        assert (recording.samples["meter"].read().index == np.arange(10_000, 20_000)).all()
        assert any("damaged and left out" in problem for problem in recording.problems)


def test_a_gap_that_the_recording_made_is_told_from_one_that_the_meter_made(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("meter", COLUMNS, RATE)
        for piece in range(3):
            feed(meter, 1000, piece * 1000)
            recorder.flush()
        meter.lose(10)
        feed(meter, 1000, 3000, start=3010 * STEP)
    path = tmp_path / "0.samples"
    data = bytearray(path.read_bytes())
    second = data.index(b"EFRC", data.index(b"EFRC", 1) + 1)
    data[second + 8] ^= 1
    path.write_bytes(data)
    with Recording(tmp_path) as recording:
        gaps = [(g.lost, g.why) for g in recording.samples["meter"].gaps()]
    assert gaps == [(1000, "damaged"), (10, "lost")]


def test_every_truncation_opens_as_far_as_it_is_good(folder):
    path = folder / "0.samples"
    data = path.read_bytes()
    for size in range(0, len(data), 997):
        path.write_bytes(data[:size])
        with Recording(folder) as recording:
            for channel in recording.samples.values():
                got = channel.read()
                assert (got.index == np.arange(len(got.index))).all()
            assert recording.problems or size == 0


def test_random_damage_never_raises(folder):
    random = np.random.default_rng(5)
    originals = {p: p.read_bytes() for p in folder.iterdir() if p.suffix != ".part"}
    for _ in range(150):
        for path, data in originals.items():
            broken = bytearray(data)
            for at in random.integers(0, max(len(data), 1), random.integers(0, 4)):
                if at < len(broken):
                    broken[at] = random.integers(256)
            path.write_bytes(broken)
        try:
            with Recording(folder) as recording:
                for channel in recording.samples.values():
                    channel.read()
                    list(channel.gaps())
                    list(channel.summaries())
                for channel in recording.events.values():
                    list(channel.read())
                assert all("\n" not in problem for problem in recording.problems)
        except BadInput as error:
            assert "meta.json" in str(error) or "newer" in str(error)


def test_flushing_needs_no_further_samples(tmp_path):
    with Recorder(tmp_path) as recorder:
        recorder.events("device").append(5, b"alone")
        until = time.monotonic() + 10
        with Recording(tmp_path) as recording:
            while not (recording.refresh() and recording.events["device"].count):
                assert time.monotonic() < until
                time.sleep(0.01)
