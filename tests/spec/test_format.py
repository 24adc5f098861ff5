# SPDX-License-Identifier: Apache-2.0
"""docs/FORMAT.md against the constants of C and of Python; where they differ, the document wins."""

import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgefm.codecs import CODECS
from edgefm.network.program import ELEMENT_BYTES, OpKind
from edgefm.package import meta, records
from edgefm.package.container import checksum
from edgefm.package.records import (
    SUMS_AT,
    Feature,
    Packing,
    ReservedFeature,
    ReservedSection,
    Section,
)
from edgefm.planner import arena
from tests.golden import edit, rules
from tests.golden.make import GOLDEN
from tests.support.document import Row, chapter, layout, table, tables

NATIVE = Path(__file__).resolve().parents[2] / "native"
RECORDS = {
    "## Header": (records.HEADER, "EFM_HEADER_BYTES"),
    "## Section table": (records.SECTION_ENTRY, "EFM_SECTION_BYTES"),
    "### Streams": (records.STREAM, "EFM_STREAM_BYTES"),
    "### Buffers": (records.BUFFER, "EFM_BUFFER_BYTES"),
    "### Operators": (records.OPERATOR, "EFM_OPERATOR_BYTES"),
    "### Firings": (records.FIRING, "EFM_FIRING_BYTES"),
    "### Stages": (records.STAGE, "EFM_STAGE_BYTES"),
    "### Maps": (records.MAP, "EFM_MAP_BYTES"),
    "### Caps": (records.CAP, "EFM_CAP_BYTES"),
    "### References": (records.REFERENCE, "EFM_REFERENCE_BYTES"),
    "### Tiles": (records.TILE, "EFM_TILE_BYTES"),
    "### Tensors": (records.TENSOR, "EFM_TENSOR_BYTES"),
}


def source(path: str) -> str:
    return (NATIVE / path).read_text(encoding="utf-8")


def constants(path: str) -> dict[str, int]:
    """What a C file's enums and macros say, as far as it is plain numbers and shifts."""
    found = re.findall(r"\b([A-Z][A-Z0-9_]+) = ([-0-9a-fx<( )]+)[,\n }]", source(path))
    return {name: eval(value.strip().rstrip(" )")) for name, value in found
            if re.fullmatch(r"-?\w+( << \d+)?", value.strip())}


def listed(path: str) -> list[tuple[str, str, str]]:
    """(id, NAME, class) of each line of a list; the two names are one in two cases, but for a class
    whose name a type has."""
    found = re.findall(r"X\((\d+), (\w+), (\w+)\)", source(path))
    assert found and all(name == own.upper() or own == "map_view" for _, name, own in found)
    return found


def ids(rows: list[Row], key: str = "Id") -> dict[str, int]:
    return {row["Name"]: int(row[key]) for row in rows}


# -- records ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("heading", RECORDS)
def test_byte_tables_are_what_python_packs_and_c_steps_by(heading: str) -> None:
    packed, constant = RECORDS[heading]
    code, _ = layout(heading)
    assert struct.Struct(code).format == packed.format
    assert constants("src/format.h")[constant] == packed.size


@pytest.mark.parametrize("heading", [heading for heading in RECORDS if heading != "## Header"])
def test_record_offsets_are_those_c_reads(heading: str) -> None:
    _, offsets = layout(heading)
    prefix = RECORDS[heading][1].removesuffix("_BYTES") + "_AT_"
    known = {name.removeprefix(prefix).lower(): value
             for name, value in constants("src/format.h").items() if name.startswith(prefix)}
    assert known == offsets


def test_header_offsets_are_those_c_reads() -> None:
    _, offsets = layout("## Header")
    names = {"magic": "MAGIC", "major": "MAJOR", "bytes": "BYTES", "head_bytes": "HEAD",
             "head_crc": "HEAD_CRC", "crc": "CRC",
             "features": "FEATURES", "sections": "SECTIONS", "arena_bytes": "ARENA",
             "control_bytes": "CONTROL", "external_bytes": "EXTERNAL", "io_bytes": "IO",
             "alignment": "ALIGNMENT", "port_buffers": "PORT_BUFFERS", "burst": "BURST",
             "window": "WINDOW", "pool": "POOL", "pool_pages": "POOL_PAGES", "page": "PAGE",
             "version": "VERSION", "front_bytes": "FRONT",
             "weight_alignment": "WEIGHT_ALIGNMENT", "weight_burst": "WEIGHT_BURST",
             "reserved": "RESERVED"}
    known = constants("src/format.h")
    assert {field: known[f"EFM_AT_{name}"] for field, name in names.items()} == {
        field: at for field, at in offsets.items() if field != "minor"}
    assert tuple(offsets)[:-1] == records.PackageHeader._fields
    assert (offsets["head_crc"], offsets["features"]) == (records.SUMS_AT, records.CHECKED_FROM)
    assert struct.unpack("<HH", struct.pack("<HH", records.MAJOR, records.MINOR)) == tuple(
        constants("include/edgefm.h")[f"EFM_FORMAT_{name}"] for name in ("MAJOR", "MINOR"))


def test_magic_and_checksum_are_those_of_the_text() -> None:
    magic = bytes.fromhex(re.findall(r"`([0-9A-F ]{11})`", table("## Header")[0]["Valid"])[0])
    assert magic == records.MAGIC
    assert f"0x{int.from_bytes(magic, 'little'):08x}" in source("src/format.h")
    said = re.search(r"of the nine bytes\s+`(\w+)` it is (\w+)", chapter("## Integrity"))
    assert said
    digits = said[1].encode()
    assert checksum(digits) == int(said[2], 16)
    front, behind = bytes(range(SUMS_AT)), b"behind"
    assert checksum(front + b"not seen" + behind) == zlib.crc32(front + behind)


# -- registries ------------------------------------------------------------------------------------


def test_sections() -> None:
    rows = table("### Sections")
    assert ids(rows) == {s.name: s.value for s in Section}
    assert ids(rows, "Record size") == {s.name: size for s, size in records.RECORD_BYTES.items()}
    known = constants("src/format.h")
    assert ids(rows) == {s.name: known[f"EFM_SECTION_{s.name}"] for s in Section}


def test_reserved_sections() -> None:
    rows = tables("## Reserved")[1]
    assert ids([{**row, "Name": row["Section"]} for row in rows]) == {
        "SIGNATURE": Section.SIGNATURE, **{s.name: s.value for s in ReservedSection}}
    assert max(Section) < min(ReservedSection)


def test_packings() -> None:
    rows = table("### Packings")
    assert ids(rows) == {p.name.lower(): p.value for p in Packing}
    known = {name.removeprefix("EFM_PACKING_"): value for name, value in
             constants("src/kernels/kernel.h").items() if name.startswith("EFM_PACKING_")}
    assert known.pop("OWN") > max(Packing)  # in no file
    assert known.items() <= {p.name: p.value for p in Packing}.items()


def test_features() -> None:
    bits = {row["Name"]: 1 << int(row["Bit"]) for row in table("### Features")}
    assert bits == {f.name: f.value for f in Feature}
    reserved = {row["Feature"]: 1 << int(row["Bit"]) for row in table("## Reserved")}
    assert reserved == {f.name: f.value for f in ReservedFeature}
    assert not sum(reserved.values()) & sum(bits.values())
    known = constants("include/edgefm.h")
    assert bits == {name: known[f"EFM_FEATURE_{name}"] for name in bits}
    assert known["EFM_FEATURES"] == sum(bits.values())


def test_element_types() -> None:
    rows = table("### Element types")
    assert ids(rows) == {name: i for i, name in enumerate(records.TYPES)}
    known = constants("include/edgefm.h")
    assert ids(rows) == {row["Name"]: known[f"EFM_TYPE_{row['Name'].upper()}"] for row in rows}
    assert ids(rows, "Bytes") == {**ELEMENT_BYTES, "uint8": 1}


def test_statuses() -> None:
    rows = table("### Statuses")
    values = {f"EFM_{name}": value for name, value in ids(rows, "Value").items()}
    known = constants("include/edgefm_status.h")
    assert values == {n: v for n, v in known.items() if n.startswith("EFM_")}
    listed = re.findall(r'"(EFM_\w+)"', source("src/model.c"))
    assert listed == sorted(values, key=lambda name: -values[name])


def operator_registry() -> list[Row]:
    return next(rows for rows in tables("## Operators") if rows and "Kind" in rows[0])


def test_operators() -> None:
    registry = operator_registry()
    assert ids(registry) == {kind.name: kind.value for kind in OpKind}
    own = constants("include/edgefm.h")
    classes = {name.removeprefix("map_"): number
               for number, _, name in listed("src/ops/list.h")}
    for row in registry:
        name = row["Name"]
        if row["Kind"] == "executor":
            assert own[f"EFM_OP_{name}"] == int(row["Id"])
        else:
            assert classes.pop(name.lower()) == row["Id"]
    assert not classes


def test_operators_of_the_goldens_have_the_operands_and_parameters_of_the_registry() -> None:
    rows = {int(row["Id"]): row for row in operator_registry()}
    for path in (GOLDEN / "good").glob("*.efm"):
        data = edit.table(path.read_bytes())[Section.OPERATORS][1]
        for kind, n_in, n_out, _, _, _, n_params, *_ in records.OPERATOR.iter_unpack(data):
            row = rows[kind]
            assert _counts(row["Inputs"], n_in), row
            assert _counts(row["Outputs"], n_out), row
            said = str(n_in) if row["Parameters"] == "as inputs" else row["Parameters"]
            assert _counts(said, n_params), row


def _counts(said: str, number: int) -> bool:
    if said.endswith(" or more"):
        return number >= int(said.split()[0])
    return str(number) in said.split(" or ")


def test_codecs() -> None:
    rows = table("## Codecs")
    names = {row["codec"].split(":")[0]: int(row["id"]) for row in rows}
    assert names == {name: codec.id for name, codec in CODECS.items()}
    assert names == {"raw": 0, **{name: int(number)
                                  for number, _, name in listed("src/codecs/list.h")}}


# -- execution -------------------------------------------------------------------------------------


def test_the_control_region_and_the_cursor() -> None:
    parts = {row["Part"]: int(row["Bytes"].split()[0]) for row in table("### The arena")}
    own = constants("src/format.h")
    assert parts == {"counters": arena.COUNTER_BYTES, "window": arena.WINDOW_BYTES,
                     "caps": arena.CAP_STATE_BYTES, "pool": arena.POOL_STATE_BYTES,
                     "directories": arena.DIRECTORY_BYTES}
    assert (own["EFM_COUNTER_BYTES"], own["EFM_WINDOW_BYTES"]) == (
        parts["counters"], parts["window"])
    cursor = table("### Maps in external memory")
    fixed = sum(int(row["Bytes"]) for row in cursor if row["Bytes"].isdigit())
    assert (own["EFM_CAP_STATE_BYTES"], own["EFM_POOL_STATE_BYTES"], own["EFM_LINK_BYTES"]) == (
        parts["caps"], parts["pool"], arena.LINK_BYTES)
    assert fixed == arena.CURSOR_BYTES == own["EFM_CURSOR_BYTES"]
    assert constants("include/edgefm.h")["EFM_ARENA_ALIGNMENT"] == arena.ALIGNMENT
    assert [own[f"EFM_{name}"] for name in ("MAX_ROWS", "MAX_BYTES", "MAX_ALIGNMENT", "MIN_PAGE",
                                            "MAX_PAGE")] == [
        arena.MAX_ROWS, arena.MAX_BYTES, arena.MAX_ALIGNMENT, arena.MIN_PAGE, arena.MAX_PAGE]
    inside = constants("src/memory/memory.c")
    assert [inside["AT_TICKET"], inside["AT_BUSY"]] == [int(r["Offset"]) for r in cursor[:2]]


def test_limits() -> None:
    said = {row["What"]: row["Most"] for row in table("## Limits")}
    known = {**constants("src/format.h"), **constants("include/edgefm.h")}
    powers = {"EFM_MAX_DIMENSION": "pixels of a row", "EFM_MAX_SECTIONS": "sections",
              "EFM_MAX_ENDS": "inputs; outputs", "EFM_MAX_OPERANDS": "operands of an operator",
              "EFM_MAX_ALIGNMENT": "alignment", "EFM_MAX_BYTES": "arena, map without gaps",
              "EFM_MAX_ROWS": "rows of a map, slots of a buffer, bytes of a coded row"}
    for name, what in powers.items():
        assert known[name] == eval(said[what].replace("^", "**")), name
    assert eval(said["channels"].replace("^", "**")) == known["EFM_MAX_DIMENSION"] // 8
    assert int(said["inputs; outputs"]) == records.MAX_ENDS


# -- META ------------------------------------------------------------------------------------------


def test_meta_keys() -> None:
    said = {row["Key"]: row["Kind"] for row in table("## META")}
    assert said == dict(_keys(meta.META, ""))


def _keys(kind: Mapping[str, Any], path: str) -> list[tuple[str, str]]:
    found = []
    for key, value in kind.items():
        found += _key(value, f"{path}{key}")
    return found


def _key(kind: Any, path: str, null: str = "") -> list[tuple[str, str]]:
    names = {str: "text", int: "integer", float: "number", bool: "boolean"}
    if isinstance(kind, dict):
        return [(path, f"object{null}"), *_keys(kind, f"{path}.")]
    if isinstance(kind, list) and isinstance(kind[0], dict):
        return [(path, f"list{null}"), *_keys(kind[0], f"{path}[].")]
    if isinstance(kind, list):
        return [(path, f"list{null}"), *_key(kind[0], f"{path}[]")]
    if isinstance(kind, tuple) and kind[0] is None:
        return _key(kind[1], path, " or null")
    if isinstance(kind, tuple):
        return [(path, f"list{null}")]
    return [(path, names[kind] + null)]


# -- rules and the example -------------------------------------------------------------------------


def test_every_rule_names_its_status_and_its_files() -> None:
    said = {}
    for row in table("## What a reader must refuse"):
        marks = re.findall(r"(\w+)(?: \*\((\w+)\)\*)?", row["Files"])
        for name, mark in marks:
            assert name not in said, name
            said[name] = f"EFM_{row['Status'].strip('`')}", mark
    expected = {rule.name: (rule.status, rule.when) for rule in rules.BROKEN}
    expected |= {rule.name: (rule.status, "built") for rule in rules.LARGE_RULES}
    assert said == expected


def test_statuses_in_the_tables_exist() -> None:
    known = {row["Name"] for row in table("### Statuses")}
    for heading in RECORDS:
        for row in table(heading):
            assert row["Otherwise"] in ("", "-") or row["Otherwise"].strip("`") in known


def test_the_dump_is_the_example() -> None:
    package = (GOLDEN / "good" / "example.efm").read_bytes()
    dump, description = re.findall(r"```\n(.*?)\n```", chapter("## A worked example"), re.DOTALL)
    rebuilt = bytearray(len(package))
    for line in dump.splitlines():
        at, data = int(line[:4], 16), bytes.fromhex(line[6:53])
        rebuilt[at:at + len(data)] = data
    text = "".join(description.splitlines()).encode()
    rebuilt[len(package) - len(text):] = text
    assert bytes(rebuilt) == package
    assert len(rebuilt) == len(package)
