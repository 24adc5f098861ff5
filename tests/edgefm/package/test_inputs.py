# SPDX-License-Identifier: Apache-2.0
"""Arrays from a caller are copies of the right kind, or one line says what they are."""

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.package.inputs import own_array


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
    np.zeros((2, 2), ">i4"), np.zeros((2, 2, 1), np.int8), np.zeros((), np.int8)],
    ids=lambda given: f"{type(given).__name__}-{np.shape(given)}")
def test_other_types_and_shapes_are_refused(data: object) -> None:
    with pytest.raises(BadInput, match=r"^x is .*, expected .*int8 \[2, 2\]$"):
        own_array(data, (2, 2), "int8", "x")
