# SPDX-License-Identifier: Apache-2.0
"""Images of ROMFS: every file is found, at a multiple of 16. The real MicroPython mounts them in
tests/firmware/test_micropython.py."""

import pytest
from romfs_reader import files

from edgefm.errors import BadInput
from host_tools.micropython.romfs import ALIGNMENT, romfs_image


@pytest.mark.parametrize("length", range(1, 40))
def test_every_file_is_whole_and_aligned(length: int) -> None:
    content = {"n" * length: bytes(range(length)), "m" * length: b"", "net.efm": b"1" * 3 * length,
               "o" * (41 - length): bytes(130 + length)}
    found = files(romfs_image(content))
    assert {name: data for name, (_, data) in found.items()} == content
    assert all(at % ALIGNMENT == 0 for at, _ in found.values())


def test_an_image_without_files_is_one() -> None:
    assert files(romfs_image({})) == {}


def test_a_large_file_is_aligned_too() -> None:
    assert files(romfs_image({"net.efm": bytes(70_000)}))["net.efm"][0] % ALIGNMENT == 0


@pytest.mark.parametrize("name", ["", "a/b", "\x1b[2J", "ä"])
def test_names_that_a_board_could_not_open_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="romfs: got the name"):
        romfs_image({name: b"1"})
