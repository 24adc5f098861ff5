# SPDX-License-Identifier: Apache-2.0
"""Every codec, seen from outside."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgefm.codecs import (
    CODECS,
    LENGTH_BYTES,
    LOSSLESS_CODECS,
    Codec,
    RowShape,
    coded_bytes,
    context,
    decode_map,
    encode_map,
    fit_maps,
    worst_case,
)
from edgefm.errors import BadContainer

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "codecs"


@pytest.fixture(params=LOSSLESS_CODECS.values(), ids=lambda codec: codec.name)
def codec(request):
    return request.param


def test_ids_are_those_of_the_registry():
    assert {c.name: c.id for c in CODECS.values()} == {
        "raw": 0, "rle": 1, "zvc": 2, "ebpc": 3, "context": 4, "rice": 5, "tans": 6,
        "dctcm": 7, "gf2": 8, "temporal": 9, "mix": 10}


def test_every_map_comes_back(codec, case):
    shape, rows = case
    tables = codec.fit([rows], shape, 1000)
    stored = encode_map(codec, tables, shape, rows)
    assert np.array_equal(decode_map(codec, tables, shape, stored), rows)


def test_no_stored_row_is_longer_than_a_row(codec, case):
    shape, rows = case
    stored = encode_map(codec, codec.fit([rows], shape, 1000), shape, rows)
    assert max(map(len, stored)) <= shape.values
    assert coded_bytes(stored) <= worst_case(shape, len(rows))
    assert coded_bytes(stored) == sum(map(len, stored)) + LENGTH_BYTES * len(rows)


def test_constant_zero_is_nearly_free():
    shape, rows = RowShape(32, 16, -128), np.full((16, 32, 16), -128, np.int8)
    sizes = {c.name: coded_bytes(encode_map(c, c.fit([rows], shape, 1000), shape, rows))
             for c in LOSSLESS_CODECS.values()}
    assert sizes["context"] < sizes["ebpc"] < sizes["zvc"] < sizes["raw"] / 7


def test_context_beats_the_baselines_on_smooth_maps(smooth_maps):
    shape = RowShape(10, 8, 0)
    sizes = {}
    for each in LOSSLESS_CODECS.values():
        tables = each.fit(smooth_maps[:5], shape, 200)
        sizes[each.name] = coded_bytes(encode_map(each, tables, shape, smooth_maps[5]))
    assert max(sizes.pop("context"), sizes.pop("mix")) < 0.8 * min(sizes.values())


def test_state_survives_a_raw_row_in_the_middle(codec):
    rng = np.random.default_rng(3)
    rows = np.zeros((9, 6, 4), np.int8)
    rows[4] = rng.integers(-128, 128, (6, 4))
    shape = RowShape(6, 4, 0)
    tables = codec.fit([rows], shape, 100)
    stored = encode_map(codec, tables, shape, rows)
    assert len(stored[4]) == shape.values
    assert np.array_equal(decode_map(codec, tables, shape, stored), rows)


def test_every_cut_of_a_code_is_refused_or_a_whole_row(codec, case):
    shape, rows = case
    tables = codec.fit([rows], shape, 1000)
    code = encode_map(codec, tables, shape, rows)[0]
    for cut in range(len(code)):
        try:
            row = codec.decode(codec.start(tables, shape), code[:cut])
        except BadContainer:
            continue
        assert row.shape == (shape.width, shape.channels) and row.dtype == np.int8


def test_every_flipped_bit_is_refused_or_a_whole_row(codec):
    shape, rng = RowShape(6, 5, 0), np.random.default_rng(5)
    row = np.clip(rng.normal(0, 4, (6, 5)), -128, 127).astype(np.int8)
    tables = codec.fit([row[None]], shape, 100)
    code = codec.encode(codec.start(tables, shape), row)
    for i in range(8 * len(code)):
        broken = bytearray(code)
        broken[i // 8] ^= 1 << i % 8
        try:
            other = codec.decode(codec.start(tables, shape), bytes(broken))
        except BadContainer:
            continue
        assert other.shape == row.shape and not np.array_equal(other, row)


def test_a_row_longer_than_a_row_is_refused(codec):
    shape = RowShape(2, 2, 0)
    with pytest.raises(BadContainer, match="5 bytes"):
        decode_map(codec, codec.fit([np.zeros((1, 2, 2), np.int8)], shape, 12), shape, [bytes(5)])


@pytest.mark.parametrize("name", ["raw", "rle", "zvc", "ebpc"])
def test_codecs_without_tables_refuse_tables(name):
    with pytest.raises(BadContainer, match="expected none"):
        CODECS[name].start(b"x", RowShape(2, 2, 0))


def test_state_is_a_row_and_what_was_learned():
    shape = RowShape(14, 96, -128)
    assert {c.name: c.state_bytes(shape) for c in CODECS.values()} == {
        "raw": 0, "rle": 0, "zvc": 0, "ebpc": 0, "context": 600 + 5 * 96 + 14 * 96,
        "rice": 96 * (14 + 2), "tans": 1024 + 8 + 64 + 5 * 14 + 96 * (14 + 2), "dctcm": 0,
        "gf2": 0,
        "temporal": 2 * (2 + 144 + 5 * 96) + 600 + 5 * 96 + 3 * 14 * 96,
        "mix": 3232 + 13 * 96 + 14 * 96}


def golden_file(codec: Codec) -> dict:
    return json.loads((GOLDEN / codec.name / "rows.json").read_text())


@pytest.mark.parametrize("name", ["rle", "zvc", "ebpc", "context", "rice", "tans", "dctcm", "gf2",
                                  "mix"])
def test_golden_rows_stay_the_same_bytes(name):
    codec, golden = CODECS[name], golden_file(CODECS[name])
    for each in golden["maps"]:
        shape = RowShape(each["width"], each["channels"], each["zero_point"])
        tables = bytes.fromhex(each["tables"])
        rows = np.frombuffer(bytes.fromhex(each["rows"]), np.int8)
        rows = rows.reshape(-1, shape.width, shape.channels)
        stored = [bytes.fromhex(code) for code in each["stored"]]
        assert encode_map(codec, tables, shape, rows) == stored
        back = rows.tobytes() if codec.lossless else bytes.fromhex(each["back"])
        assert decode_map(codec, tables, shape, stored).tobytes() == back


def test_fit_maps_keeps_the_limit_and_spends_it_where_it_helps(smooth_maps):
    alike = RowShape(10, 8, 0)
    noise = [np.random.default_rng(i).integers(-9, 9, (16, 10, 8)).astype(np.int8)
             for i in range(6)]
    tables = fit_maps(CODECS["context"], [(alike, smooth_maps), (alike, noise)], 150)
    assert sum(map(len, tables)) <= 150
    assert len(tables[0]) > len(tables[1]) == context.HEAD.size


def test_fit_maps_never_gives_less_than_the_smallest_tables(smooth_maps):
    maps = [(RowShape(10, 8, 0), smooth_maps)] * 2
    assert [len(t) for t in fit_maps(CODECS["context"], maps, 0)] == [12, 12]
