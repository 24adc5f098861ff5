# SPDX-License-Identifier: Apache-2.0
"""What may be lent to C, and that it is a copy where somebody could change it."""

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.runtime.lending import frozen_bytes, own_array, whole_number


@pytest.mark.parametrize("data", [b"efm", bytearray(b"efm"), memoryview(b"efm"),
                                  memoryview(b"e.f.m.")[::2], np.frombuffer(b"efm", np.uint8)])
def test_any_buffer_of_bytes_is_taken(data: object) -> None:
    assert frozen_bytes(data, "x.efm") == b"efm"


def test_a_buffer_that_may_change_is_copied() -> None:
    data = bytearray(b"efm")
    frozen = frozen_bytes(data, "x.efm")
    data[:] = b"???"
    assert frozen == b"efm"


@pytest.mark.parametrize("data", [None, "efm", 3, [101], (101,), object(),
                                  np.zeros(3, "datetime64[s]")], ids=repr)
def test_what_is_no_buffer_of_bytes_is_refused(data: object) -> None:
    with pytest.raises(BadInput, match=r"^x\.efm: got \w+, expected bytes$"):
        frozen_bytes(data, "x.efm")


def test_an_array_is_copied_and_made_contiguous() -> None:
    data = np.arange(24, dtype=np.int8).reshape(2, 3, 4).transpose(1, 0, 2)
    own = own_array(data, (3, 2, 4), "int8", "x")
    assert own.flags.c_contiguous and not np.shares_memory(own, data)
    np.testing.assert_array_equal(own, data)
    assert not np.shares_memory(own_array(own, (3, 2, 4), "int8", "x"), own)


def test_a_subclass_cannot_pretend_another_shape() -> None:
    class Liar(np.ndarray):
        shape = (1000, 1000)  # type: ignore[assignment]

    with pytest.raises(BadInput, match=r"int8 \[2, 2\], expected int8 \[1000, 1000\]"):
        own_array(np.zeros((2, 2), np.int8).view(Liar), (1000, 1000), "int8", "x")


@pytest.mark.parametrize("data", [
    None, [[1, 2], [3, 4]], 5, "ab", b"abcd", memoryview(b"abcd"), np.int8(1),
    np.zeros((2, 3), np.int8), np.zeros((2, 2), np.uint8), np.zeros((2, 2), object),
    np.zeros((2, 2), ">i4"), np.zeros((2, 2, 1), np.int8), np.zeros((), np.int8)], ids=repr)
def test_other_types_and_shapes_are_refused(data: object) -> None:
    with pytest.raises(BadInput, match=r"^x is .*, expected .*int8 \[2, 2\]$"):
        own_array(data, (2, 2), "int8", "x")


@pytest.mark.parametrize("value", [0, 7, np.int64(7), np.uint8(3)])
def test_whole_numbers_within_the_limits_are_taken(value: int) -> None:
    assert whole_number(value, 0, 7, "frame") == value


@pytest.mark.parametrize("value", [-1, 8, 1 << 70, 1.0, None, "1", True, [1], np.float32(1)],
                         ids=repr)
def test_other_numbers_are_refused(value: object) -> None:
    with pytest.raises(BadInput, match=r"^frame: got .*, expected a whole number 0\.\.7$"):
        whole_number(value, 0, 7, "frame")
