# SPDX-License-Identifier: Apache-2.0
"""What may be lent to C besides arrays, and that it is a copy where other code could change it."""

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.runtime.lending import frozen_bytes, whole_number


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
                                  np.zeros(3, "datetime64[s]")],
                         ids=lambda data: type(data).__name__)
def test_what_is_no_buffer_of_bytes_is_refused(data: object) -> None:
    with pytest.raises(BadInput, match=r"^x\.efm: got \w+, expected bytes$"):
        frozen_bytes(data, "x.efm")


@pytest.mark.parametrize("value", [0, 7, np.int64(7), np.uint8(3)])
def test_whole_numbers_within_the_limits_are_taken(value: int) -> None:
    assert whole_number(value, 0, 7, "frame") == value


@pytest.mark.parametrize("value", [-1, 8, 1 << 70, 1.0, None, "1", True, [1], np.float32(1)],
                         ids=repr)
def test_other_numbers_are_refused(value: object) -> None:
    with pytest.raises(BadInput, match=r"^frame: got .*, expected a whole number 0\.\.7$"):
        whole_number(value, 0, 7, "frame")
