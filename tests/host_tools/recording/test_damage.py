# SPDX-License-Identifier: Apache-2.0
"""Damaged recordings, also with checksums mended, open as far as they are good: nothing raises."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from recorded import record_run

from edgefm.errors import BadInput
from host_tools.measurement.energy import energy_by_stage
from host_tools.outputs.tables import write_tables
from host_tools.outputs.trace import write_trace
from host_tools.recording import Recording, pack

ROUNDS = 40
ODD = (None, [], {}, "x", 1e308, -1, True, {"ticks_per_second": 1e-9},
       {"plan": {"stages": [1, {"name": {}}]}})


def mended(random, data):
    """Chunks whose contents are damaged and whose checksums are right again."""
    data, at = bytearray(data), 0
    while (at := data.find(b"EFRC", at)) >= 0 and at + 64 <= len(data):
        sizes = struct.unpack_from("<II", data, at + 44)
        body = bytes(data[at + 64:at + 64 + sum(sizes)])
        if len(body) == sum(sizes):
            head = bytearray(data[at:at + 64])
            parts = [bytearray(zlib.decompress(part)) if part else bytearray()
                     for part in (body[:sizes[0]], body[sizes[0]:])]
            for part in parts:
                spoil(random, part, 3)
            packed = [zlib.compress(bytes(part), 1) if part else b"" for part in parts]
            struct.pack_into("<III", head, 44, *map(len, packed), sum(map(len, parts)))
            struct.pack_into("<I", head, 56, zlib.crc32(b"".join(packed)))
            if random.random() < 0.3:
                head[random.integers(4, 44)] = random.integers(256)
            struct.pack_into("<I", head, 60, zlib.crc32(bytes(head[:60])))
            data[at:at + 64 + sum(sizes)] = head + b"".join(packed)
        at += 64
    return bytes(data)


def spoil(random, data, most):
    """Replace a few bytes."""
    for _ in range(random.integers(0, most)):
        if data:
            data[random.integers(len(data))] = random.integers(256)


def damaged(random, path, whole):
    """Another version of a file of a recording."""
    if path.suffix in (".samples", ".events") and random.random() < 0.7:
        return mended(random, whole)
    if path.name == "meta.json" and random.random() < 0.5:
        fields = json.loads(whole)
        fields[list(fields)[random.integers(len(fields))]] = ODD[random.integers(len(ODD))]
        return json.dumps(fields).encode()
    data = bytearray(whole)
    spoil(random, data, 4)
    return bytes(data[:random.integers(len(data) + 1)] if random.random() < 0.2 else data)


def use(path, folder):
    """Everything that reads a recording."""
    try:
        with Recording(path) as recording:
            for channel in recording.samples.values():
                channel.read()
                list(channel.gaps())
                if channel.columns:
                    channel.envelope(0, buckets=50)
            energy_by_stage(recording)
            write_trace(recording, io.StringIO(), 50)
            write_tables(recording, folder)
            assert all("\n" not in problem for problem in recording.problems)
    except BadInput as error:
        assert "\n" not in str(error)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(3))
def test_nothing_in_a_recording_raises(tmp_path, seed):
    random = np.random.default_rng(seed)
    record_run(tmp_path / "r", runs=2, rate=2000, extra=[(0.0, b"\x04log")])
    pack(tmp_path / "r", tmp_path / "r.zip")
    originals = {path: path.read_bytes()
                 for path in [*(tmp_path / "r").iterdir(), tmp_path / "r.zip"]}
    for _ in range(ROUNDS):
        for path, data in originals.items():
            path.write_bytes(damaged(random, path, data))
        use(tmp_path / "r", tmp_path / "csv")
        use(tmp_path / "r.zip", tmp_path / "csv")


def test_no_byte_of_a_zips_directory_raises(tmp_path):
    record_run(tmp_path / "r", runs=1, rate=500)
    pack(tmp_path / "r", tmp_path / "r.zip")
    whole = (tmp_path / "r.zip").read_bytes()
    for at in range(whole.index(b"PK\x01\x02"), len(whole)):
        for value in (0, 255):
            data = bytearray(whole)
            data[at] = value
            (tmp_path / "r.zip").write_bytes(data)
            with Recording(tmp_path / "r.zip") as recording:
                assert len(recording.samples) + len(recording.problems) > 0
