# SPDX-License-Identifier: Apache-2.0
"""Packages: what is written is read back, and damage is one clear line."""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from edgefm.errors import BadContainer, UnsupportedModel
from edgefm.images.preprocess import Preprocess
from edgefm.lower import lower
from edgefm.network.program import Program
from edgefm.package import layout
from edgefm.package.layout import HEADER, Description, Section, read_info, seal, write_package
from edgefm.package.meta import read_meta
from edgefm.planner import Plan, analyse, load_target, make_plan
from edgefm.runtime import Runtime
from tests.golden.edit import Change, entry, header, put, record, replace, table, without
from tests.support.limits import Limited
from tests.support.networks import Graph, Network

GOOD = Path(__file__).resolve().parents[2] / "golden" / "good"


def network() -> Graph:
    net = Network(1, "uint8", "small ☃")
    a, b = net.input(1, 6, 5, 3), net.input(1, 6, 5, 4)
    both = net.concat(net.conv(a, 4), b)
    return net.graph(both, net.argmax(both))


def planned(graph: Graph, cut: str = "auto") -> tuple[Program, Plan]:
    layout = analyse(lower(graph))
    return layout.program, make_plan(layout, load_target(None), cut=cut)


def package(description: Description | None = None) -> bytes:
    graph = network()
    return write_package(graph, *planned(graph, "ops"), {}, description or Description("ab"))


def meta(change: Any) -> Change:
    """`change` edits the object of META in place."""

    def edit(data: bytes) -> bytes:
        said = read_meta(data)
        change(said)
        return json.dumps(said).encode()

    return replace(Section.META, edit, flags=0)


# -- round trip ------------------------------------------------------------------------------------


def test_what_is_written_is_read_back() -> None:
    preprocess = Preprocess(False, (127.5,), (64.0,), "bgr", "letterbox")
    graph = network()
    program, plan = planned(graph, "ops")
    data = write_package(graph, program, plan, {},
                         Description("ab", preprocess, ("cat", "dögs")))
    info = read_info(data)
    assert (info.name, info.model_sha256, info.labels) == ("small ☃", "ab", ("cat", "dögs"))
    assert info.preprocess == preprocess
    assert info.plan == json.loads(json.dumps(plan.to_json()))
    for read, ends in ((info.inputs, graph.inputs), (info.outputs, graph.outputs)):
        for tensor, index in zip(read, ends, strict=True):
            source = graph.tensors[index]
            assert (tensor.name, tensor.shape, tensor.dtype) == (
                source.name, source.shape, source.dtype)
            if source.quant is not None:
                assert (tensor.scale, tensor.zero_point) == (source.scale, source.zero_point)
    taps = [s.tensor for s in info.streams if s is not None]
    assert set(taps) >= {graph.tensors[t].name for t in graph.inputs}


def test_the_same_plan_gives_the_same_bytes_and_their_sum() -> None:
    first, second = package(), package()
    assert first == second
    sections = table(first)
    digest = hashlib.sha256(b"".join(data for i, (_, data) in sections.items()
                                     if i != Section.META)).hexdigest()
    assert read_info(first).plan_sha256 == digest


def test_sections_do_not_overlap_and_are_aligned() -> None:
    data = package()
    end = HEADER.size + 16 * len(table(data))
    for section in read_info(data).sections:
        assert section.offset % 16 == 0
        assert section.offset >= end
        end = section.offset + section.bytes
    assert end == len(data)


def test_more_outputs_than_a_package_holds_are_refused() -> None:
    net = Network(1)
    x = net.input(1, 2, 2, 1)
    graph = net.graph(*(net.relu(x) for _ in range(33)))
    with pytest.raises(UnsupportedModel, match="33 outputs; expected 32 at most"):
        write_package(graph, *planned(graph), {}, Description(""))


# -- damage ----------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[Change, str]] = {
    "empty": (lambda p: b"", "not an .efm package"),
    "magic": (header(0, "B", 0), "not an .efm package"),
    "major": (header(4, "H", 2), r"format 2\.0, this edgefm reads 1\.x"),
    "cut": (lambda p: p[:-3], "its header says"),
    "checksum": (lambda p: p[:-1] + b"?", "checksum differs"),
    "table": (header(20, "I", 1 << 20), "1048576 sections in .*, expected at most 64"),
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
    "no name": (meta(lambda m: m.pop("name")), r"META\.name is no str"),
    "labels": (meta(lambda m: m.update(labels=[1])), r"META\.labels\[0\] is no str"),
    "label list": (meta(lambda m: m.update(labels={})), r"META\.labels is no list"),
    "plan": (meta(lambda m: m["plan"].update(fast_bytes=True)), "fast_bytes is no int"),
    "stage": (meta(lambda m: m["plan"]["stages"][0].pop("strips")), "strips is no int"),
    "preprocess": (meta(lambda m: m.update(preprocess={
        "raw": False, "mean": [0.0], "std": [-1.0], "order": "rgb", "geometry": "crop"})),
        "std must be positive"),
    "streams": (meta(lambda m: m["streams"].pop()), "of .* streams"),
    "stream": (meta(lambda m: m["streams"][0].pop()), "no list of 5"),
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
        read_info(change(package()), "some.efm")
    assert str(caught.value).startswith("some.efm: ")
    assert "\n" not in str(caught.value)


def test_what_only_the_runtime_checks_is_a_clear_line_too() -> None:
    with pytest.raises(BadContainer, match=r"x\.efm: the runtime refuses it: EFM_BAD_BUFFER"):
        Runtime(record(Section.BUFFERS, 0, 8, "I", 0)(package()), "x.efm")


def test_every_cut_and_every_changed_byte_of_the_description_is_refused_or_understood() -> None:
    data = (GOOD / "example.efm").read_bytes()
    start = read_info(data).sections[-1].offset
    for at in range(start, len(data), 3):
        for value in (0, 0x22, 0x7B, data[at] ^ 1, 0xFF):
            _reads_or_refuses(put(data, at, "B", value))
    for cut in range(0, len(data), 7):
        _reads_or_refuses(data[:cut])
        if cut > HEADER.size:
            _reads_or_refuses(put(data[:cut], 8, "I", cut))


def _reads_or_refuses(damaged: bytes) -> None:
    try:
        with Runtime(damaged) as runtime:
            assert runtime.info.plan["stages"]
    except BadContainer as error:
        assert "\n" not in str(error)


def test_seal_mends_only_the_checksum() -> None:
    data = package()
    broken = data[:12] + b"\0\0\0\0" + data[16:]
    assert seal(broken) == data


def test_a_package_of_too_many_sections_is_refused_before_they_are_copied(root):
    package = (root / "tests/golden/good/capped.efm").read_bytes()
    entry = package[layout.HEADER.size:layout.HEADER.size + layout.SECTION_ENTRY.size]
    many = bytearray(package[:layout.HEADER.size] + entry * 200_000 + bytes(1 << 20))
    many[8:12] = len(many).to_bytes(4, "little")
    many[20:24] = (200_000).to_bytes(4, "little")
    package = layout.seal(bytes(many))
    with Limited(6 << 20), pytest.raises(BadContainer, match="200000 sections in .*at most 64"):
        layout.read_info(package)
