# SPDX-License-Identifier: Apache-2.0
"""Sizes and tensors as people write and read them."""

import numpy as np
import pytest

from edgefm.console.notation import read_size, size_text, tensor_text
from edgefm.errors import BadInput


@pytest.mark.parametrize(("given", "size"), [
    (0, 0), (65536, 65536), ("65536", 65536), ("64K", 65536), ("64k", 65536), ("64KiB", 65536),
    ("1.5M", 3 << 19), (" 16MB ", 16 << 20), ("1G", 1 << 30), (np.int64(7), 7), ("0", 0)])
def test_sizes_are_read(given, size: int) -> None:
    assert read_size(given) == size and type(read_size(given)) is int


@pytest.mark.parametrize("given", [
    -1, 1.0, True, None, "", "K", "-1", "1e3", "0.3", "64 K", "64T", "٣", "9" * 400, "1024G",
    1 << 40, b"64K", [1], "inf", "nan"])
def test_what_is_no_size_is_one_line(given) -> None:
    with pytest.raises(BadInput, match="^fast: got .*, expected a size such as") as error:
        read_size(given, "fast")
    assert len(str(error.value)) < 120


def test_sizes_and_tensors_are_written() -> None:
    assert [size_text(n) for n in (812, 66416, 3 << 20)] == [
        "812 B", "66,416 B (64.9 KiB)", "3,145,728 B (3.0 MiB)"]
    assert tensor_text((1, 4), "int8", 0.5, 3) == "int8 1x4, scale 0.5, zero point 3"
    assert tensor_text((1, 4), "float32", 0.0, 0) == "float32 1x4"
