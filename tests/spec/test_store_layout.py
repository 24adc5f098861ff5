# SPDX-License-Identifier: Apache-2.0
"""docs/STORE.md against the code: its number tables, and a store that is read by them alone."""

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import store_device
from store_device import OK, Flash, Store

ERASE, PROGRAM, PAGE = 512, 4, 64
SIZES = {"u32": "I", "u8": "B", "u8[32]": "32s"}


@pytest.fixture(scope="module")
def document(root: Path) -> str:
    return (root / "docs/STORE.md").read_text("utf-8")


@pytest.fixture(scope="module")
def constants(root: Path) -> dict[str, int]:
    """The numbers of store.h and extents.h, by name."""
    text = "".join((root / "firmware/common" / name).read_text("utf-8")
                   for name in ("store.h", "extents.h"))
    found = re.findall(r"\b(EFM_\w+)(?: = | )(0x[0-9a-f]+|\d+)", text)
    return {name: int(value, 0) for name, value in found}


def tables(document: str, *head: str) -> list[list[list[str]]]:
    """Rows of every table whose columns begin with `head`."""
    found: list[list[list[str]]] = []
    inside = False
    for line in document.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif tuple(cells[:len(head)]) == head:
            inside = True
            found.append([])
        elif inside and not set(line) <= set("|-: "):
            found[-1].append(cells)
    assert found, head
    return found


def layout(rows: list[list[str]]) -> tuple[struct.Struct, list[str]]:
    """A byte table as a struct and the names of its fields; rows follow without gaps."""
    at = 0
    for offset, size, kind, *_ in rows:
        assert (int(offset), int(size)) == (at, struct.calcsize("<" + SIZES[kind]))
        at += int(size)
    return struct.Struct("<" + "".join(SIZES[row[2]] for row in rows)), [row[3] for row in rows]


def magic(rows: list[list[str]]) -> bytes:
    """The bytes that the document gives for the first field."""
    told = re.search(r"`([0-9A-F ]+)`", rows[0][4])
    assert told is not None
    return bytes.fromhex(told[1])


def test_limits(document: str, constants: dict[str, int]) -> None:
    (rows,) = tables(document, "Constant", "Value")
    assert {row[0]: int(row[1]) for row in rows} == {
        name.removeprefix("EFM_STORE_"): value for name, value in constants.items()
        if name.startswith("EFM_STORE_")}


def test_pages(document: str, constants: dict[str, int]) -> None:
    (rows,) = tables(document, "Page", "Name")
    assert {row[1]: int(row[0]) for row in rows} == {
        name.removeprefix("EFM_PAGE_"): value for name, value in constants.items()
        if name.startswith("EFM_PAGE_")}
    assert len(rows) == constants["EFM_STORE_HEAD_PAGES"]


def test_fields_of_the_head(document: str, constants: dict[str, int]) -> None:
    rows, commit = tables(document, "Offset", "Size", "Type", "Field")
    assert {row[3].upper(): int(row[0]) for row in rows} == {
        name.removeprefix("EFM_HEAD_"): value for name, value in constants.items()
        if name.startswith("EFM_HEAD_")}
    assert int.from_bytes(magic(rows), "little") == constants["EFM_MAGIC_HEAD"]
    assert int.from_bytes(magic(commit), "little") == constants["EFM_MAGIC_DONE"]
    assert layout(rows)[0].size == 64 and layout(commit)[0].size == 8


def read(document: str, image: bytes) -> dict[str, bytes]:
    """The packages in an image, read by nothing but the document."""
    rows, commit = tables(document, "Offset", "Size", "Type", "Field")
    head, fields = layout(rows)
    found: dict[str, tuple[int, bytes]] = {}
    block, count = 0, len(image) // ERASE
    while block < count:
        at = block * ERASE
        value = dict(zip(fields, head.unpack_from(image, at), strict=True))
        dead, done = image[at + PAGE:at + 2 * PAGE], image[at + 2 * PAGE:at + 3 * PAGE]
        block += 1
        if (image[at:at + 4] != magic(rows) or value["check"] != zlib.crc32(image[at:at + 60])
                or value["block"] != block - 1 or dead != b"\xff" * PAGE
                or done[:8] != magic(commit) + image[at + 60:at + 64]):
            continue
        assert (1 << value["erase_log"], 1 << value["page_log"]) == (ERASE, PAGE)
        data = image[at + 3 * PAGE:at + 3 * PAGE + value["total"]]
        assert zlib.crc32(data) == value["crc"]
        name = value["name"][:value["name_bytes"]].decode()
        found[name] = max(found.get(name, (-1, b"")), (value["sequence"], data))
        block = -(-(at + 3 * PAGE + value["total"]) // ERASE)
    return {name: data for name, (_, data) in found.items()}


def test_a_store_is_read_by_the_document_alone(document: str, native_lib: Any) -> None:
    flash = Flash(store_device.build(native_lib), 32 * ERASE, ERASE, PROGRAM)
    store = Store(flash)
    for step in range(40):
        data = bytes([step]) * (1 + 97 * step % 1500)
        assert store.write("abc"[step % 3], data) == OK
        if step % 5 == 0:
            assert store.remove("abc"[step // 5 % 3]) == OK or step == 5
        flash.cut_after(step * 50)
        store.write("d", data)
        flash.power()
        store = Store(flash)
        assert read(document, flash.image()) == store.all()
