# SPDX-License-Identifier: Apache-2.0
"""Codec measurement: every byte is accounted for, on identical maps."""

import numpy as np
import pytest

from edgefm.binding.coder import code_map
from edgefm.codecs import CODECS, LENGTH_BYTES, RowShape, encode_map
from edgefm.errors import BadInput

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
