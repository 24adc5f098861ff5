# SPDX-License-Identifier: Apache-2.0
"""Zip archives from outside: what they would unpack to is limited before anything is unpacked."""

import io
import struct
import warnings
import zipfile

import pytest
from limits import Limited

from edgefm.files import archives
from edgefm.files.archives import ALLOWANCE, members


def packed(files, method=zipfile.ZIP_DEFLATED):
    """A zip archive of (name, data)."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two members with one name
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data, method)  # of no time: it names tests
    return made.getvalue()


def lying(data, field, value):
    """The archive with another number in its (first) central header."""
    at = data.index(b"PK\1\2") + field
    return data[:at] + struct.pack("<I", value) + data[at + 4:]


def unpacked(data, most=1 << 30):
    """Everything in an archive, by name."""
    return {one.name: one.read(one.size + 1) for one in members(io.BytesIO(data), most)}


def test_members_come_in_order():
    files = [("b", b"12"), ("a", b""), ("c", bytes(100))]
    assert list(unpacked(packed(files)).items()) == files
    assert list(unpacked(packed(files, zipfile.ZIP_STORED)).items()) == files


@pytest.mark.parametrize(("data", "said"), [
    (packed([("a", bytes(ALLOWANCE * 2))]), f"unpack to {2 * ALLOWANCE}, expected at most"),
    (lying(packed([("a", b"1")]), 24, 0xFFFFFFF0), "unpack to 4294967280"),
    (lying(packed([("a", bytes(1000))]), 24, 10), "CRC"),
    (packed([("a", b"1"), ("a", b"2")]), "two members named 'a'"),
    (packed([("a", b"1")], zipfile.ZIP_BZIP2), "packed by method 12"),
    (packed([("a", b"1")], zipfile.ZIP_LZMA), "packed by method 14"),
    (b"", "not a zip"), (b"PK\5\6" + bytes(17), "not a zip"), (packed([("a", b"1")])[:-9], "zip")])
def test_an_archive_that_is_a_bomb_or_lies_is_one_line(data, said):
    with Limited(16 << 20), pytest.raises(ValueError, match=said) as refused:
        unpacked(data)
    assert "\n" not in str(refused.value)


def test_a_member_that_is_shorter_than_it_declares_ends_early():
    data = lying(packed([("a", b"123")]), 24, 1 << 20)
    assert unpacked(data) == {"a": b"123"}


def test_a_list_of_members_is_limited_before_it_is_read(monkeypatch):
    many = packed([(f"{i:0100}", b"") for i in range(60)])
    monkeypatch.setattr(archives, "MOST_MEMBERS", 59)
    with pytest.raises(ValueError, match="60 members, expected at most 59"):
        unpacked(many)
    monkeypatch.setattr(archives, "MOST_DIRECTORY", 1 << 12)
    with pytest.raises(ValueError, match="a list of members of 8760 bytes"):
        unpacked(many)


def test_the_limit_of_all_members_holds_for_their_sum():
    with pytest.raises(ValueError, match="unpack to 20, expected at most 19"):
        unpacked(packed([("a", bytes(10)), ("b", bytes(10))]), 19)
