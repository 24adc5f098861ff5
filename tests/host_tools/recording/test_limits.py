# SPDX-License-Identifier: Apache-2.0
"""Recordings that were made to take the machine: one line, soon, and in little room."""

import json
import os
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from recorded import record_run

from edgefm.errors import BadInput
from edgefm.files import archives
from host_tools.cli import main
from host_tools.measurement.costs import load_costs
from host_tools.measurement.summary import read_validation
from host_tools.recording import Recording, channels, chunks, files, pack
from host_tools.recording.channels import MOST_PROBLEMS
from host_tools.recording.chunks import Column

MIB = 1 << 20


@pytest.fixture
def recorded(tmp_path):
    record_run(tmp_path / "r", runs=1)
    return tmp_path / "r"


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method, compresslevel=9) as archive:
        for name, size in members:
            with archive.open(name, "w", force_zip64=True) as member:
                for _ in range(size // MIB):
                    member.write(bytes(MIB))
    return path


def unpacked_bytes(recording):
    """What a zip was unpacked to on disk."""
    return sum(os.fstat(file.fileno()).st_size for file in recording._files._open.values())


@pytest.mark.parametrize("members", [
    [("0.samples", 200 * MIB)], [(f"{i}.events", 20 * MIB) for i in range(8)],
    [(f"{i}/0.samples", 50 * MIB) for i in range(4)]])
def test_a_small_zip_is_not_unpacked_to_everything(tmp_path, members):
    path = zipped(tmp_path / "bomb.zip", members)
    with Recording(path) as recording:
        size = path.stat().st_size
        assert unpacked_bytes(recording) <= files.MOST_GROWTH * size + files.SMALL < 20 * MIB
        assert any("its front is read" in problem for problem in recording.problems)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", ["meta.json", "0.samples"])
def test_what_could_unpack_to_any_amount_at_once_is_left_out(recorded, tmp_path, name, method):
    path = zipped(tmp_path / "bomb.zip", [(name, 16 * MIB)], method)
    tracemalloc.start()
    try:
        with Recording(path) as recording:
            assert any(f"{name} is packed by method" in one for one in recording.problems)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_no_file_is_opened_for_each_of_very_many_channels(tmp_path, monkeypatch):
    path = zipped(tmp_path / "many.zip", [(f"{i}.events", 0) for i in range(1000)])
    made = []
    monkeypatch.setattr(files, "_unpacked", lambda *_: made.append(1) or (tmp_path / "x").open("w"))
    with pytest.raises(BadInput, match="channels, expected at most 256"):
        Recording(path)
    assert len(made) <= files.MOST_CHANNELS + 2


def test_a_zip_whose_list_of_members_is_too_long_is_read_in_front(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_DIRECTORY", 1 << 12)
    path = zipped(tmp_path / "long.zip", [(f"{i}.x", 0) for i in range(1000)])
    with Recording(path) as recording:
        assert any("list of members" in one for one in recording.problems)


def test_the_next_chunk_is_not_searched_for_without_end(recorded, monkeypatch):
    sound = (recorded / "0.samples").read_bytes()
    with (recorded / "0.samples").open("ab") as file:
        file.truncate(40 << 30)  # takes no room
    monkeypatch.setattr(channels, "MOST_SKIPPED", 4 * MIB)
    began = time.process_time()
    with Recording(recorded) as recording:
        assert recording.samples["ppk2"].count > 0
        missing = (40 << 30) - len(sound)
        assert any(f"last {missing} bytes are not a whole chunk" in p for p in recording.problems)
    assert time.process_time() - began < 2


def test_a_packed_recording_is_still_read_whole(recorded, tmp_path):
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in recorded.iterdir():
            archive.write(file, file.name)
    with Recording(tmp_path / "r.zip") as one, Recording(recorded) as other:
        assert one.problems == [] and one.samples["ppk2"].count == other.samples["ppk2"].count


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_description_beyond_its_limit_is_not_read(tmp_path, method):
    path = zipped(tmp_path / "x.zip", [("meta.json", 17 * MIB)], method)
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match="meta.json of .* bytes, expected at most") \
                if method == zipfile.ZIP_STORED else Recording(path):
            Recording(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["meta.json", "0.samples", "3.events", "lock"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path),
                                  lambda path: os.mkdir(path)], ids=["fifo", "zero", "folder"])
def test_what_is_no_regular_file_is_not_opened(recorded, name, make, capsys):
    (recorded / name).unlink(missing_ok=True)
    make(recorded / name)
    if name == "lock":
        with Recording(recorded) as recording:
            assert not recording.is_growing()
        return
    with pytest.raises(BadInput, match="expected a regular file") as error:
        Recording(recorded)
    assert "\n" not in str(error.value)
    assert main(["export", str(recorded), "--csv"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("call", [Recording, read_validation, load_costs])
def test_a_fifo_or_a_device_in_the_place_of_a_file_is_refused(tmp_path, call):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path / "link"):
        if path.name == "link":
            path.symlink_to("/dev/zero")
        with pytest.raises(BadInput, match="expected a regular file"):
            call(path)


def test_more_channels_than_any_recorder_makes_are_refused(recorded):
    for i in range(files.MOST_CHANNELS + 1):
        (recorded / f"{i}.events").touch()
    with pytest.raises(BadInput, match="channels, expected at most 256"):
        Recording(recorded)


def chunk(columns, count, gaps):
    return chunks.pack_samples(columns, [np.zeros(count, np.int64)], 0, gaps, (0, 10**9))


def test_a_chunk_with_a_gap_before_each_sample_is_read_in_linear_time(recorded):
    count = chunks.MOST_COUNT
    gaps = np.stack([np.arange(count), np.ones(count)], 1).astype(np.int64)
    column = Column("VDD", "amperes")
    data = chunks.pack_description({"kind": "samples", "columns": [column.to_json()]}, 0)
    (recorded / "0.samples").write_bytes(data + chunk([column], count, gaps))
    with Recording(recorded) as recording:
        channel, = recording.samples.values()
        began = time.process_time()
        samples = channel.read()
        assert time.process_time() - began < 2
    assert samples.index[[0, 1, -1]].tolist() == [0, 2, 2 * (count - 1)]
    assert (np.diff(samples.times) > 0).all()


def test_numbers_of_samples_count_what_is_missing():
    gaps = np.array([[0, 7], [2, 3], [4, 1]])
    assert chunks.sample_index(5, gaps).tolist() == [0, 1, 5, 6, 8]
    assert chunks.sample_index(0, chunks.NO_GAPS).tolist() == []


def test_a_body_larger_than_its_head_says_is_not_unpacked():
    body = chunks._pack(bytes(64 * MIB))
    head = chunks.Head(chunks.EVENTS, 0, 512, 0, 1, 0, 0, 0, 0, 0, len(body), 100,
                       chunks.zlib.crc32(body))
    tracemalloc.start()
    try:
        with pytest.raises(chunks.BadChunk, match="too long"):
            chunks.unpack_body(head, body)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("fields", [{"rate": 10**400}, {"rate": 1e300}, {"rate": "x"},
                                    {"columns": [{"rail": "a", "quantity": "watts",
                                                  "lsb": 10**400, "product": None}]},
                                    {"columns": [{"rail": "a", "quantity": "watts", "lsb": 1,
                                                  "product": [10**400, 1e400]}]}])
def test_absurd_numbers_in_a_description_are_none(recorded, fields):
    text = json.dumps({"kind": "samples", **fields}).encode()
    data = chunks.pack_chunk(0, 0, 0, 0, chunks.NO_GAPS, (0, 0), b"", text)
    (recorded / "9.samples").write_bytes(data)
    with Recording(recorded) as recording:
        assert recording._known["9.samples"].rate is None


def test_of_very_many_problems_the_first_are_told(recorded):
    events = chunks.pack_events(0, [0], [b"x"], chunks.NO_GAPS)
    (recorded / "0.samples").write_bytes((events + b"garbage") * 1000)
    with Recording(recorded) as recording:
        mine = [one for one in recording.problems if one.startswith("0.samples")]
        assert MOST_PROBLEMS < len(mine) <= MOST_PROBLEMS + 2


def test_a_zip_of_a_recording_is_read_as_before(recorded, tmp_path):
    pack(recorded, tmp_path / "r.zip")
    with Recording(tmp_path / "r.zip") as recording:
        assert recording.problems == [] and recording.meta["state"] == "complete"
