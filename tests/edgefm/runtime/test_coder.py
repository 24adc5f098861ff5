# SPDX-License-Identifier: Apache-2.0
"""What the C codecs may be given; test_measure.py has what they make of it."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape
from edgefm.errors import BadInput
from edgefm.runtime.coder import code_map

MAP = np.random.default_rng(4).geometric(0.6, (6, 10, 8)).astype(np.int8) - np.int8(1)
ZVC = CODECS["zvc"].id


@pytest.mark.parametrize("values", [
    None, MAP.tolist(), MAP[0], MAP.astype(np.int16), MAP.view(np.uint8), MAP[:, :0],
    MAP[:, :, :0], np.broadcast_to(np.int8(0), (1, 1 << 20, 17))], ids=lambda v: type(v).__name__)
def test_a_map_of_another_kind_is_refused(values: np.ndarray) -> None:
    with pytest.raises(BadInput, match=r"^codec \d+: the map is .*expected int8") as error:
        code_map(ZVC, b"", 0, values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("before", [MAP[:5], MAP[:, :9], MAP.astype(np.float32), MAP.tolist()],
                         ids=["rows", "width", "type", "list"])
def test_a_frame_before_of_another_kind_is_refused(before: np.ndarray) -> None:
    codec = CODECS["temporal"]
    tables = codec.fit([MAP], RowShape(10, 8, 0), 1000)
    with pytest.raises(BadInput, match="the map before is"):
        code_map(codec.id, tables, 0, MAP, before=before)


@pytest.mark.parametrize(("codec", "tables", "zero_point"), [
    (-1, b"", 0), (1 << 40, b"", 0), (None, b"", 0), (ZVC, None, 0), (ZVC, "text", 0),
    (ZVC, b"", 128), (ZVC, b"", None), (ZVC, b"", 0.5)])
def test_other_arguments_are_refused(codec: int, tables: bytes, zero_point: int) -> None:
    with pytest.raises(BadInput, match="expected"):
        code_map(codec, tables, zero_point, MAP)


def test_maps_need_not_be_contiguous() -> None:
    codec = CODECS["temporal"]
    tables = bytearray(codec.fit([MAP], RowShape(10, 8, 0), 1000))
    turned, plain = np.asfortranarray(MAP), code_map(codec.id, bytes(tables), 0, MAP, before=MAP)
    coded = code_map(codec.id, tables, 0, turned, before=turned)  # type: ignore[arg-type]
    assert coded.rows == plain.rows
    assert sum(map(len, coded.rows)) < MAP.size / 4
