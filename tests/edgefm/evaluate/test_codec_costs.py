# SPDX-License-Identifier: Apache-2.0
"""Codec measurement: every byte is accounted for, on identical maps."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, LENGTH_BYTES, RowShape, dctcm, decode_map, encode_map
from edgefm.errors import BadInput, RuntimeFault
from edgefm.runtime.coder import code_map

MAP = np.random.default_rng(3).geometric(0.6, (6, 10, 8)).astype(np.int8) - np.int8(1)


@pytest.mark.parametrize("name", ["rle", "zvc", "ebpc", "context", "rice", "tans"])
def test_the_c_coder_writes_what_the_python_twin_writes(name: str) -> None:
    shape = RowShape(10, 8, 0)
    codec = CODECS[name]
    tables = codec.fit([MAP], shape, 1000)
    coded = code_map(codec.id, tables, 0, MAP)
    assert list(coded.rows) == encode_map(codec, tables, shape, MAP)
    assert sum(map(len, coded.rows)) + LENGTH_BYTES * 6 < MAP.size


def test_a_map_that_cannot_shrink_is_stored_as_it_is() -> None:
    noise = np.random.default_rng(3).integers(-128, 128, (3, 5, 7), np.int8)
    coded = code_map(CODECS["zvc"].id, b"", 0, noise)
    assert b"".join(coded.rows) == noise.tobytes()


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(BadInput, match="codec 99"):
        code_map(99, b"", 0, MAP)


def test_broken_tables_are_refused() -> None:
    with pytest.raises(BadInput, match="refuses its tables"):
        code_map(CODECS["context"].id, b"\xff" * 7, 0, MAP)


def test_a_codec_that_loses_says_how_much() -> None:
    maps = [MAP * 3]
    codec = CODECS["dctcm"]
    tables = codec.candidates(maps, RowShape(10, 8, 0))[0].tables if codec.candidates else b""
    coded = code_map(codec.id, tables, 0, maps[0], lossless=False)
    back = decode_map(codec, tables, RowShape(10, 8, 0), coded.rows)
    assert coded.squared_error == ((back.astype(int) - maps[0]) ** 2).sum()


def test_a_lossless_codec_must_not_lose() -> None:
    tables = dctcm.pack(dctcm.Tables(dctcm.DCT, (6,) * 8, (0,) * 8))
    with pytest.raises(RuntimeFault, match="came back changed"):
        code_map(CODECS["dctcm"].id, tables, 0, MAP * 3)
