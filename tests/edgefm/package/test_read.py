# SPDX-License-Identifier: Apache-2.0
"""Reading a package: damage is one clear line."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from edgefm.errors import BadContainer
from edgefm.network.program import OpKind
from edgefm.package.meta import read_meta
from edgefm.package.read import read_info, read_needs
from edgefm.package.records import HEADER, SECTION_ENTRY, Section
from edgefm.runtime import Runtime
from tests.golden.edit import Change, entry, header, put, record, replace, without
from tests.golden.rules import tile_differs
from tests.support.limits import Limited
from tests.support.small_package import small_package

GOOD = Path(__file__).resolve().parents[2] / "golden" / "good"


def meta(change: Any) -> Change:
    """`change` edits the object of META in place."""

    def edit(data: bytes) -> bytes:
        said = read_meta(data)
        change(said)
        return json.dumps(said).encode()

    return replace(Section.META, edit, flags=0)


BROKEN: dict[str, tuple[Change, str]] = {
    "empty": (lambda p: b"", "not an .efm package"),
    "magic": (header("magic", b"EFM0"), "not an .efm package"),
    "older": (lambda _: (GOOD.parent / "version_1/rings.efm").read_bytes(),
              r"an older edgefm \(package format 1\.0, this one reads 2\.x\); compile it again"),
    "newer": (header("major", 3),
              r"a newer edgefm \(package format 3\.0, this one reads 2\.x\); update edgefm"),
    "features": (header("features", 1 << 13 | 1 << 30 | 1), "needs STATE, bit 30, which"),
    "short head": (header("head_bytes", 95), "a head of 95 bytes, expected 96 to "),
    "long head": (header("head_bytes", 1 << 30), "a head of 1073741824 bytes, expected 96 to "),
    "head": (lambda p: p[:33] + bytes([p[33] ^ 1]) + p[34:], "checksum of its head differs"),
    "tile": (tile_differs, "checksum of tile 0 differs"),
    "tile table": (replace(Section.TILES, lambda d: d + b"?"), "tiles are damaged"),
    "cut": (lambda p: p[:-3], "its header says"),
    "checksum": (lambda p: p[:-1] + b"?", "checksum differs"),
    "table": (header("sections", 1 << 20), "1048576 sections in .*, expected at most 64"),
    "section": (entry(Section.NAMES, 4, "I", 1 << 30), "lies outside the file"),
    "no META": (without(Section.META), "META"),
    "no tensors": (without(Section.TENSORS), "TENSORS"),
    "no JSON": (replace(Section.META, lambda _: b"{", flags=0), "description is damaged"),
    "cut stream": (replace(Section.META, lambda _: zlib.compress(b"{}")[:-1], flags=0), "cut"),
    "long stream": (replace(Section.META, lambda _: zlib.compress(bytes(17 << 20)), flags=0),
                    "over 16777216 bytes"),
    "no text": (replace(Section.META, lambda _: b"\xff\xfe\xfd", flags=0), "damaged"),
    "deep JSON": (replace(Section.META, lambda _: b"[" * 100_000, flags=0), "damaged"),
    "other JSON": (replace(Section.META, lambda _: b"[1]", flags=0), "neither JSON"),
    "no name": (meta(lambda m: m.pop("name")), r"META\.name is not a string"),
    "labels": (meta(lambda m: m.update(labels=[1])), r"META\.labels\[0\] is not a string"),
    "label list": (meta(lambda m: m.update(labels={})), r"META\.labels is not a list"),
    "plan": (meta(lambda m: m["plan"].update(fast_bytes=True)), "fast_bytes is not an integer"),
    "stage": (meta(lambda m: m["plan"]["stages"][0].pop("strips")), "strips is not an integer"),
    "preprocess": (meta(lambda m: m.update(preprocess={
        "raw": False, "mean": [0.0], "std": [-1.0], "order": "rgb", "geometry": "crop"})),
        "std must be positive"),
    "streams": (meta(lambda m: m["streams"].pop()), "of .* streams"),
    "stream": (meta(lambda m: m["streams"][0].pop()), "not a list of 5"),
    "stream shape": (meta(lambda m: m["streams"][0].__setitem__(1, 99)), "another shape"),
    "stream type": (meta(lambda m: m["streams"][0].__setitem__(4, "int32")), "another shape"),
    "unknown type": (meta(lambda m: m["streams"][0].__setitem__(4, "int2")), "damaged"),
    "stream table": (record(Section.STREAMS, 0, 0, "I", 99), "another shape"),
    "tensor type": (record(Section.TENSORS, 0, 8, "B", 77), "damaged"),
    "tensor name": (record(Section.TENSORS, 0, 36, "I", 1 << 20), "name out of bounds"),
    "tensor rank": (record(Section.TENSORS, 0, 9, "B", 5), "5 dimensions"),
    "tensor table": (replace(Section.TENSORS, lambda d: d[:-1]), "damaged"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_damage_is_one_clear_line(kind: str) -> None:
    change, expected = BROKEN[kind]
    with pytest.raises(BadContainer, match=expected) as caught:
        read_info(change(small_package()), "some.efm")
    assert str(caught.value).startswith("some.efm: ")
    assert "\n" not in str(caught.value)


def test_what_only_the_runtime_checks_is_a_clear_line_too() -> None:
    with pytest.raises(BadContainer, match=r"x\.efm: the runtime refuses it: EFM_BAD_BUFFER"):
        Runtime(record(Section.BUFFERS, 0, 8, "I", 0)(small_package()), "x.efm")


def test_every_cut_and_every_changed_byte_of_the_description_is_refused_or_understood() -> None:
    data = (GOOD / "example.efm").read_bytes()
    start = read_info(data).sections[-1].offset
    for at in range(start, len(data), 3):
        for value in (0, 0x22, 0x7B, data[at] ^ 1, 0xFF):
            _reads_or_refuses(put(data, at, "B", value))
    for cut in range(0, len(data), 7):
        _reads_or_refuses(data[:cut])
        if cut > HEADER.size:
            _reads_or_refuses(header("bytes", cut)(data[:cut]))


def _reads_or_refuses(damaged: bytes) -> None:
    try:
        with Runtime(damaged) as runtime:
            assert runtime.info.plan["stages"]
    except BadContainer as error:
        assert "\n" not in str(error)


def test_a_package_of_too_many_sections_is_refused_before_they_are_copied(root: Path) -> None:
    package = (root / "tests/golden/good/capped.efm").read_bytes()
    entry = package[HEADER.size:HEADER.size + SECTION_ENTRY.size]
    many = bytearray(package[:HEADER.size] + entry * 200_000 + bytes(1 << 20))
    package = header("sections", 200_000)(header("bytes", len(many))(bytes(many)))
    with Limited(6 << 20), pytest.raises(BadContainer, match="200000 sections in .*at most 64"):
        read_info(package)


def test_operators_that_others_are_made_of_are_needed_too(root: Path) -> None:
    needs = read_needs((root / "tests/golden/good/sliced.efm").read_bytes())
    assert needs.operators >= {OpKind.SLICED, OpKind.CONV, OpKind.DEPTHWISE, OpKind.MEAN}
