# SPDX-License-Identifier: Apache-2.0
"""NumPy files from outside: what is there is read, what only a header says is refused unread."""

import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from limits import Limited

from edgefm.errors import BadInput
from edgefm.files.arrays import MOST_HEADER, npy_rows, read_npy, read_npz

PLAIN = ("bool", "int8", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64",
         ">i4", ">f8")


def npy(header: str, data: bytes = b"", *, version: int = 1) -> bytes:
    """An .npy file with this header."""
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes((version, 0)) + length + header.encode("latin-1") + data


def described(descr: object, shape: str, data: bytes = b"") -> bytes:
    """An .npy file of a type and a shape."""
    return npy(f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n", data)


@given(nps.arrays(st.sampled_from(PLAIN), nps.array_shapes(min_dims=0, min_side=0, max_side=5)),
       st.booleans())
@settings(deadline=None)
def test_what_numpy_writes_is_read(tmp_path_factory, array, turned):
    path, array = tmp_path_factory.getbasetemp() / "a.npy", array.T if turned else array
    np.save(path, array)
    found = read_npy(path)
    np.testing.assert_array_equal(found, array)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    rows = list(npy_rows(path, 5))
    for row, expected in zip(rows, array if array.ndim > 1 else [], strict=True):
        np.testing.assert_array_equal(row, expected)


HOSTILE = [
    (described("|V0", f"({1 << 40},)"), "its elements are '|V0'"),
    (described("|S0", f"({1 << 50},)"), "its elements are '|S0'"),
    (described("|O", "(1,)", bytes(8)), "its elements are"),
    (described("<U4", "(1,)", bytes(16)), "its elements are"),
    (described("<f3", "(1,)", bytes(16)), "its elements are"),
    (described([("a", "<f4")], "(1,)", bytes(16)), "no plain type, order and shape"),
    (described("<f4", f"({1 << 40},)"), "expected at most"),
    (described("<f4", f"({1 << 30},)"), "has 4294967296 bytes, the file 0"),
    (described("<f4", f"(0, {1 << 63})"), "expected at most 32 dimensions"),
    (described("<f4", "(" + "1," * 33 + ")", bytes(4)), "expected at most 32 dimensions"),
    (described("<f4", "(-1,)", bytes(4)), "expected whole numbers"),
    (described("<f4", "(1 << 9,)", bytes(4)), "expected whole numbers"),
    (described("<f4", "(" + "9" * 3000 + ",)"), "expected whole numbers"),
    (described("<f4", "(2,)", bytes(7)), "has 8 bytes, the file 7"),
    (npy("(" * 9000), "a header of 9000 bytes, expected at most 4096"),
    (npy("{" + "(" * 4000 + "}"), "no plain type, order and shape"),
    (npy("{'descr': " + "-" * 4000 + "1}"), "no plain type, order and shape"),
    (npy("{'descr': '<f4'}"), "no plain type, order and shape"),
    (npy("[]"), "in braces"), (npy(""), "in braces"),
    (npy("x" * 5000, version=2), "at most 4096"),
    (b"\x93NUMPY\2\0\xff\xff\xff\xff", "at most 4096"),
    (b"\x93NUMPY\x09\0", "as NumPy's files do"), (b"", "as NumPy's files do"),
    (b"\x93NUMPY\1\0\x10", "in braces")]


@pytest.mark.parametrize(("data", "said"), HOSTILE)
def test_a_header_that_lies_is_one_line_and_takes_no_memory(tmp_path, data, said):
    (tmp_path / "a.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", data)
    with Limited(32 << 20):
        for read, name in ((read_npy, "a.npy"), (lambda path: next(npy_rows(path, 9)), "a.npy"),
                           (read_npz, "a.npz")):
            with pytest.raises(BadInput, match=said) as refused:
                read(tmp_path / name)
            assert name in str(refused.value) and "\n" not in str(refused.value)
            assert len(str(refused.value)) < 300 + len(str(tmp_path))


def test_an_array_beyond_its_limit_is_refused_unread(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:  # sparse: it takes a page of the disk
        file.write(described("|u1", f"({1 << 35},)"))
        file.truncate((1 << 35) + MOST_HEADER)
    with Limited(32 << 20), pytest.raises(BadInput, match="expected at most 1073741824"):
        read_npy(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((10, 0)))
    with pytest.raises(BadInput, match="10 parts, expected at most 9"):
        next(npy_rows(tmp_path / "a.npy", 9))


def test_rows_are_read_one_at_a_time(tmp_path):
    frames = np.zeros((40, 1 << 20), np.uint8)
    frames[:, 0] = np.arange(40)
    np.save(tmp_path / "a.npy", frames)
    with Limited(8 << 20):
        assert [int(row[0]) for row in npy_rows(tmp_path / "a.npy", 40)] == list(range(40))


def test_an_archive_is_read_and_single_arrays_are_none(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.array(True))
    np.savez_compressed(tmp_path / "b.npz", x=np.arange(3), y=np.array(True))
    for name in ("a.npz", "b.npz"):
        found = read_npz(tmp_path / name)
        assert found["x"].tolist() == [0, 1, 2] and found["y"] == np.True_ and len(found) == 2
    np.save(tmp_path / "c.npz.npy", np.zeros(3))
    with pytest.raises(BadInput, match=r"c\.npz\.npy: not a readable \.npz file"):
        read_npz(tmp_path / "c.npz.npy")


def test_a_member_that_is_no_array_or_has_more_behind_is_refused(tmp_path):
    for data, said in ((b"text", "array 'x': it does not begin"),
                       (described("<f4", "(1,)", bytes(5)), "bytes behind it")):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", data)
        with pytest.raises(BadInput, match=said):
            read_npz(tmp_path / "a.npz")
