# SPDX-License-Identifier: Apache-2.0
"""Checksums: every byte of a package is under one, and all of them are held against it."""

from pathlib import Path

import pytest

from edgefm.errors import BadContainer
from edgefm.package.container import read_sections, seal
from edgefm.package.records import CHECKED_FROM, HEADER, SUMS_AT, Section
from tests.golden.edit import start
from tests.support.small_package import small_package

VERSION_1 = sorted((Path(__file__).resolve().parents[2] / "golden/version_1").glob("*.efm"))


def test_seal_mends_every_checksum_and_nothing_else() -> None:
    data = small_package()
    at = start(data, Section.TILES) + 12
    broken = data[:at] + bytes(4) + data[at + 4:]
    broken = broken[:SUMS_AT] + bytes(8) + broken[CHECKED_FROM:]
    assert seal(broken) == data
    for damaged in (b"", data[:50], data[:HEADER.size], bytes(200)):
        assert len(seal(damaged)) == len(damaged)


def test_every_changed_byte_is_noticed() -> None:
    data = small_package()
    for at in range(len(data)):
        with pytest.raises(BadContainer):
            read_sections(data[:at] + bytes([data[at] ^ 16]) + data[at + 1:], "net.efm")


@pytest.mark.parametrize("path", VERSION_1, ids=lambda path: path.stem)
def test_a_package_of_version_1_has_to_be_compiled_again(path: Path) -> None:
    with pytest.raises(BadContainer, match="^old.efm: was made by an older edgefm .*again$"):
        read_sections(path.read_bytes(), "old.efm")
