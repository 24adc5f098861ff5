# SPDX-License-Identifier: Apache-2.0
"""Writes the golden packages: `python -m tests.golden.make` from the project's root.

good/*.efm are what some release wrote, with a .json beside each of what it must give for ever. They
are written once: a file that is there stays, unless its name is given as an argument before any
release has shipped it. bad/*.efm break one rule each and are written again from good ones.
version_1/*.efm are what version 1 of the format wrote, and stay.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import replace as replace_fields
from pathlib import Path

import numpy as np

from edgefm.codecs import CODECS
from edgefm.codecs.quality import QualityKind, QualityMap, class_table, static_table
from edgefm.codecs.shift import Cap
from edgefm.codecs.weights import WeightCode
from edgefm.compiler.choose_codec import code_maps
from edgefm.compiler.coded_weights import with_port
from edgefm.compiler.map_storage import storage_for
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph, Node, Quant
from edgefm.network.program import Stream, WeightPort
from edgefm.ops import run_graph
from edgefm.package.records import MAP, Section
from edgefm.package.weight_tiles import with_tile_bytes
from edgefm.package.write import Description, write_package
from edgefm.planner import Plan, analyze, load_target, make_plan, smallest_plan
from edgefm.planner.build import build_plan
from edgefm.planner.columns import Tiling, in_columns, tileable
from edgefm.planner.layout import Layout
from edgefm.planner.search import Choice
from edgefm.planner.stages import Stage
from edgefm.runtime import Runtime
from tests.golden.edit import Change, chain, header, record, replace, table
from tests.golden.rules import BROKEN
from tests.support.coded import calmed, coded, tiles_of
from tests.support.networks import Network
from tests.support.slices import in_slices

GOLDEN = Path(__file__).resolve().parent
SEED = 1
LEAST_TILE = 8  # bytes of weights, so that small networks have several


@dataclass(frozen=True, slots=True)
class Good:
    """A network and how it is compiled: in one stage of rings, or cut as for `--cut`."""

    graph: Callable[[], Graph]
    cut: str = "auto"
    codec: str = "raw"
    target: str | None = None
    fast: int | None = None
    one_stage: bool = False
    cap: Cap | None = None
    quality: Callable[[Stream], QualityMap] | None = None
    pooled: bool = False
    page: int = 16
    refresh: int = 0
    paired: bool = False
    weights: WeightCode = WeightCode.RAW
    small_tiles: bool = False
    slices: bool = False  # every chain in slices that are as thin as they get, two rows at a time
    port: WeightPort | None = None
    columns: int = 0      # tiles of columns that all but the output run in, if any
    change: Change = lambda package: package

    @property
    def cap_for(self) -> Callable[[Stream], Cap] | None:
        """The cap of every stored map; least shifts only where there are as many as rows."""
        cap = self.cap
        if cap is None:
            return None
        return lambda stream: Cap(cap.per_row, cap.depth,
                                  cap.floors if len(cap.floors) == stream.height else b"",
                                  self.quality(stream) if self.quality else None)


# -- what a golden is run on, and what came out ----------------------------------------------------


def made_up(shape: Sequence[int], dtype: str) -> Array:
    """An input that any language makes alike: top bytes of s = s * 1664525 + 1013904223 mod 2^32.

    Integers take their bytes from it, lowest first; a float32 is such a byte / 128 - 1.
    """
    count = int(np.prod(shape))
    state, stream = SEED, bytearray()
    for _ in range(count * (1 if dtype == "float32" else np.dtype(dtype).itemsize)):
        state = (state * 1664525 + 1013904223) % 2**32
        stream.append(state >> 24)
    if dtype == "float32":
        values = np.frombuffer(bytes(stream), np.uint8) / np.float32(128) - np.float32(1)
        return values.astype(np.float32).reshape(shape)
    return np.frombuffer(bytes(stream), np.dtype(dtype).newbyteorder("<")).reshape(shape)


def outcome(package: bytes) -> dict[str, object]:
    """Everything that must stay: checksums of inputs and outputs, memory, counted bytes. Of
    packages whose maps refer to the frame before, of three frames, and the bytes of the last."""
    with Runtime(package) as runtime:
        plan = runtime.info.plan
        inputs, outputs = list[Array](), list[Array]()
        for frame in range(3 if any("reference" in m for m in plan["maps"]) else 1):
            data = [moved(made_up(t.shape, t.dtype), frame) for t in runtime.inputs]
            result = runtime.run(data, frame=frame)
            inputs, outputs = inputs + data, outputs + result.outputs
        return {"fast_bytes": plan["fast_bytes"], "external_bytes": plan["external_bytes"],
                "inputs": [_digest(a) for a in inputs],
                "outputs": [_digest(a) for a in outputs],
                "counters": {name: count for name, count in asdict(result.counters).items()
                             if count or name != "weight_port_bytes"}}


def moved(data: Array, frame: int) -> Array:
    """An input, `frame` frames later: its first half has become brighter."""
    flat = data.copy().reshape(-1)
    flat[:flat.size // 2] += frame
    return flat.reshape(data.shape)


def _digest(array: Array) -> str:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


# -- good ------------------------------------------------------------------------------------------


def example() -> Graph:
    """The worked example of docs/FORMAT.md: one convolution."""
    net = Network(1, name="example")
    return net.graph(net.conv(net.input(1, 6, 256, 1), 2, kernel=3, stride=2))


def separable(dtype: str = "int8") -> Graph:
    """An inverted residual: three convolutions and a sum with what came before them."""
    net = Network(2, dtype, "separable")
    x = net.conv(net.input(1, 12, 40, 3), 6, kernel=3, stride=2, activation="relu6")
    wide = net.conv(x, 12, kernel=1, activation="relu6")
    deep = net.depthwise(wide, activation="relu6")
    return net.graph(net.add(x, net.conv(deep, 6, kernel=1)))


def sparse(width: int = 10, height: int = 12) -> Graph:
    """A map without zero points and one with many, which codecs are made for."""
    net = Network(7, name="sparse")
    return net.graph(net.conv(net.input(1, height, width, 3), 8, activation="relu"))


def calm() -> Graph:
    """Weights near zero, in convolutions whose channels make no even tiles."""
    net = Network(11, name="calm")
    x = net.conv(net.input(1, 9, 8, 3), 7, kernel=3, stride=2)
    deep = net.depthwise(net.conv(x, 10, kernel=1), multiplier=2, activation="relu6")
    return calmed(net.graph(net.dense(net.flat(net.conv(deep, 5)), 6), x))


def parted() -> Graph:
    """The same as small as it gets, for packages that break a rule."""
    net = Network(12, name="parted")
    return calmed(net.graph(net.conv(net.conv(net.input(1, 2, 2, 1), 2), 5, kernel=1)))


def sliced() -> Graph:
    """An inverted residual and a head, which may run in slices of channels."""
    net = Network(13, name="sliced")
    x = net.conv(net.input(1, 5, 4, 3), 20, kernel=1)
    y = net.conv(net.depthwise(x, activation="relu6"), 5, kernel=1)
    return net.graph(net.dense(net.flat(net.mean(net.conv(y, 18, kernel=1))), 3))


def columns() -> Graph:
    """A window, which runs in two tiles of columns."""
    net = Network(14, name="columns")
    return net.graph(net.conv(net.input(1, 2, 5, 1), 1))


def halved() -> Graph:
    """Two maps as small as they get, for many of the packages that break a rule."""
    net = Network(1, name="halved")
    return net.graph(net.pool(net.input(1, 6, 4, 1)))


def floats() -> Graph:
    """float32 in, float32 out."""
    net = Network(3, name="float")
    net.inputs.append(net.tensor((1, 6, 6, 2), dtype="float32"))
    x = net.node("quantize", net.inputs, (1, 6, 6, 2), Quant((2**-7,), (3,)))
    return net.graph(net.dequantize(net.softmax(net.dense(net.mean(net.conv(x, 4)), 5))))


def ends() -> Graph:
    """Two inputs; four outputs: a part of a concatenation, all of it, classes, and an input."""
    net = Network(4, name="ends")
    a, b = net.input(1, 6, 5, 3), net.input(1, 6, 5, 3)
    one = net.conv(a, 2, kernel=1)
    two = net.alike(net.conv(b, 3), one)
    joined = net.concat(one, two)
    return net.graph(one, joined, net.argmax(joined), b)


def operators() -> Graph:
    """Every operator but the detector's, as small as it gets."""
    net = Network(5, name="operators")
    x = net.input(1, 8, 6, 4)
    left = net.pool(net.relu(x, "relu6"))
    right = net.alike(net.pool(x, "average_pool"), left)
    below = net.concat(left, right, axis=1)
    mixed = net.concat(net.logistic(below), net.resize(net.pool(below), 8, 3), axis=3)
    turned = net.transpose(net.pad(mixed, (1, 0), (1, 1)), 0, 2, 1, 3)
    grown = net.resize(net.reshape(turned, 1, 5, 9, 8), 10, 9, "resize_nearest")
    twice = net.add(grown, net.depthwise(grown, kernel=1), "mul")
    return net.graph(net.softmax(net.dense(net.flat(net.mean(twice, keep_dims=True)), 5)), twice)


def rearranged() -> Graph:
    """Filled edges, runs backwards, and a shuffle of channels through five dimensions."""
    net = Network(8, name="rearranged")
    x = net.input(1, 4, 3, 4)
    quant = net.tensors[x].quant
    wide = net.node("pad_with", (x,), (1, 6, 3, 6), quant, value=7,
                    padding=((0, 0), (1, 1), (0, 0), (0, 2)))
    back = net.node("slice", (wide,), (1, 3, 3, 6), quant, begin=(0, 5, 0, 0), size=(1, 3, 3, 6),
                    stride=(1, -2, 1, 1), dropped=())
    apart = net.node("reshape", (back,), (1, 3, 3, 2, 3), quant)
    mixed = net.node("transpose", (apart,), (1, 3, 3, 3, 2), quant, perm=(0, 1, 2, 4, 3))
    return net.graph(wide, net.node("reshape", (mixed,), (1, 3, 3, 6), quant))


def pairwise() -> Graph:
    """Operators of two operands with rules of their own."""
    net = Network(9, name="pairwise")
    a, b = net.input(1, 3, 2, 4), net.input(1, 3, 2, 4)
    slopes = net.constant(np.array([-128, -9, 40, 127], np.int8), Quant((0.01,), (3,)))
    shape, wide = net.shape(a), Quant((0.5,), (-4,))
    return net.graph(*(net.node(op, (a, other), shape, wide) for op, other in (
        ("prelu", slopes), ("maximum", b), ("minimum", b), ("squared_difference", b))),
        net.node("div", (a, b), shape, wide, activation=None))


def vectors() -> Graph:
    """What is computed over rows and channels, and a product of two computed matrices."""
    net = Network(10, name="vectors")
    a, b = net.input(1, 3, 4), net.input(1, 5, 4)
    return net.graph(
        net.node("mean", (a,), (1, 3), axes=(2,), keep_dims=False),
        net.node("batch_matmul", (a, b), (1, 3, 5), Quant((0.1,), (2,)), adj_x=False, adj_y=True),
        net.node("l2_normalization", (a,), (1, 3, 4), Quant((1 / 128,), (0,))),
        net.node("log_softmax", (a,), (1, 3, 4), Quant((1 / 16,), (127,))))


def detector() -> Graph:
    """Boxes from four anchors."""
    net = Network(6, name="detector")
    codes = net.reshape(net.conv(net.input(1, 2, 2, 3), 4, kernel=1), 1, 4, 4)
    logits = net.reshape(net.conv(net.inputs[0], 3, kernel=1), 1, 4, 3)
    real = [net.dequantize(codes), net.dequantize(net.logistic(logits))]
    anchors = np.array([[0.3, 0.3, 0.4, 0.4], [0.3, 0.7, 0.4, 0.4], [0.7, 0.3, 0.4, 0.4],
                        [0.7, 0.7, 0.4, 0.4]], np.float32)
    real.append(net.constant(anchors, Quant((1.0,), (0,))))
    shapes = ((1, 3, 4), (1, 3), (1, 3), (1,))
    found = tuple(net.tensor(shape, dtype="float32") for shape in shapes)
    net.nodes.append(Node("detection_postprocess", "boxes", tuple(real), found, {
        "max_detections": 3, "max_classes_per_detection": 1, "num_classes": 2, "y_scale": 10.0,
        "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0, "nms_score_threshold": 0.3,
        "nms_iou_threshold": 0.5, "use_regular_nms": False}))
    return net.graph(*found)


# As a later minor version may write it: with a section that readers may skip.
NEWS = chain(header("minor", 7), replace(200, lambda _: b"news", flags=0))


def plain(package: bytes) -> bytes:
    """Rice's plain tables, which readers know and writers no longer write: 5 low bits, center 108.
    Rows are 10 pixels."""
    records, tables = list(MAP.iter_unpack(table(package)[Section.MAPS][1])), b""
    changes = list[Change]()
    for number, stored in enumerate(records):
        data = bytes(4) + bytes([5, 108]) * (stored[3] // 10)
        changes += [record(Section.MAPS, number, 20, "I", len(tables)),
                    record(Section.MAPS, number, 24, "I", len(data))]
        tables += data
    return chain(*changes, replace(Section.TABLES, lambda _: tables))(package)


def by_place(stream: Stream) -> QualityMap:
    """Tiles of three pixels and bands of two rows, coarser in some."""
    bands, tiles = -(-stream.height // 2), -(-stream.width // 3)
    return QualityMap(QualityKind.STATIC, 3, static_table(2, np.arange(bands * tiles) % 3))


def by_row_above(stream: Stream) -> QualityMap:
    """Single pixels, coarser below calm ones."""
    return QualityMap(QualityKind.DERIVED, 1, class_table((40, 160, 400), (2, 1, 0, 0)))


def by_row(stream: Stream) -> QualityMap:
    """Half rows, coarser where they are busy."""
    return QualityMap(QualityKind.SIGNALLED, max(stream.width // 2, 1),
                   class_table((260, 400, 1000), (0, 1, 2, 1)))


GOOD: Mapping[str, Good] = {
    "example": Good(example, one_stage=True),
    "future": Good(example, one_stage=True, change=NEWS),
    "outside": Good(halved, cut="ops", codec="context"),
    "rings": Good(separable, one_stage=True),
    "mixed": Good(separable, fast=2000),
    "external": Good(sparse, cut="ops"),
    "overlapped": Good(lambda: sparse(40), cut="ops", target="qspi-psram"),
    "uint8": Good(lambda: separable("uint8"), one_stage=True),
    "float": Good(floats, one_stage=True),
    "ends": Good(ends, one_stage=True),
    "operators": Good(operators, one_stage=True),
    "detector": Good(detector, one_stage=True),
    "rearranged": Good(rearranged, one_stage=True),
    "pairwise": Good(pairwise, one_stage=True),
    "vectors": Good(vectors, one_stage=True),
    "rle": Good(sparse, cut="ops", codec="rle"),
    "zvc": Good(sparse, cut="ops", codec="zvc"),
    "ebpc": Good(sparse, cut="ops", codec="ebpc"),
    "context": Good(sparse, cut="ops", codec="context"),
    "rice": Good(sparse, cut="ops", codec="rice", change=plain),
    "rice_quick": Good(sparse, cut="ops", codec="rice"),
    "tans": Good(sparse, cut="ops", codec="tans"),
    "dctcm": Good(sparse, cut="ops", codec="dctcm"),
    "gf2": Good(sparse, cut="ops", codec="gf2"),
    "temporal": Good(sparse, cut="ops", codec="temporal"),
    "refreshed": Good(halved, cut="ops", codec="temporal", refresh=2),
    "mix": Good(sparse, cut="ops", codec="mix"),
    "lossless": Good(sparse, cut="ops", codec="lossless", target="qspi-psram"),
    "pool": Good(halved, cut="ops", codec="context", cap=Cap(3, 2), pooled=True),
    "pooled": Good(separable, cut="ops", codec="context", cap=Cap(60, 200), pooled=True),
    "pool_zvc": Good(sparse, cut="ops", codec="zvc", cap=Cap(50, 50, bytes([0, 1, 2] * 4)),
                     pooled=True),
    "capped": Good(sparse, cut="ops", codec="context", cap=Cap(40, 60), target="qspi-psram"),
    "static": Good(sparse, cut="ops", codec="context", cap=Cap(60, 90), quality=by_place,
                   target="qspi-psram"),
    "derived": Good(sparse, cut="ops", codec="tans", cap=Cap(60, 90), quality=by_row_above,
                    pooled=True),
    "signalled": Good(sparse, cut="ops", codec="rice", cap=Cap(60, 90), quality=by_row,
                      pooled=True),
    "pairs": Good(lambda: sparse(height=11), cut="ops", codec="context", target="qspi-psram",
                  paired=True),
    "gf2_pairs": Good(sparse, cut="ops", codec="gf2", paired=True),
    "sliced": Good(sliced, slices=True),
    "columns": Good(columns, columns=2),
    "tiles": Good(calm, one_stage=True, weights=WeightCode.HUFFMAN),
    "tiles_few": Good(parted, one_stage=True, weights=WeightCode.HUFFMAN, small_tiles=True),
    "tiles_packed": Good(calm, one_stage=True, weights=WeightCode.PACKED, small_tiles=True),
    "ported": Good(parted, one_stage=True, small_tiles=True, port=WeightPort(4, 64)),
    "ported_kept": Good(calm, one_stage=True, port=WeightPort()),
    "ported_tiles": Good(parted, one_stage=True, weights=WeightCode.HUFFMAN, small_tiles=True,
                         port=WeightPort(8)),
}


def compile_golden(good: Good) -> bytes:
    """The package; codecs learn from the very input that the golden is run on."""
    graph = good.graph()
    program = lower(graph)
    made = coded(program, good.weights) if good.weights else program
    if good.columns:
        made = in_columns(made, Tiling(tileable(made)[-1], good.columns))
    layout = analyze(with_port(made, program, good.port) if good.port else made)
    with tiles_of(LEAST_TILE, grow=not good.small_tiles):
        plan = with_tile_bytes(layout.program, _plan(layout, good))
    roomy = write_package(graph, layout.program, make_plan(layout, load_target(None)), {},
                          Description(""))
    samples = [[made_up(graph.tensors[t].shape, graph.tensors[t].dtype) for t in graph.inputs]]
    maps = code_maps(layout.program, plan, good.codec, roomy, samples)
    return good.change(write_package(graph, layout.program, plan, maps, Description("")))


def _plan(layout: Layout, good: Good) -> Plan:
    target = load_target(good.target).with_budget(good.fast, None)
    if good.pooled:
        target = replace_fields(target, external_bytes=0, page=good.page)
    storage = storage_for(layout.program, good.codec, good.cap_for, good.pooled,
                          refresh=good.refresh, paired=good.paired)
    if good.slices:
        tight = replace_fields(target, fast_bytes=1)
        return build_plan(layout, in_slices(layout, 3), tight, "cost", storage)
    if good.columns:
        return smallest_plan(layout, replace_fields(target, external_bytes=0))[0]
    if not good.one_stage:
        return make_plan(layout, target, "cost", good.cut, storage)
    stage = Stage(0, len(layout.program.ops), max(layout.rows))
    return build_plan(layout, Choice((stage,), frozenset(), (0.0, 0.0)), target, "cost", storage)


def write_good(name: str) -> None:
    """Compile, run, compare with the operators' meaning in NumPy, and only then write."""
    graph = GOOD[name].graph()
    package = compile_golden(GOOD[name])
    with Runtime(package) as runtime:
        inputs = [made_up(t.shape, t.dtype) for t in runtime.inputs]
        outputs = runtime.run(inputs).outputs
    expected = run_graph(graph, inputs)
    for tensor, array in zip(graph.outputs, outputs, strict=True):
        if GOOD[name].codec in CODECS and not CODECS[GOOD[name].codec].lossless:
            continue
        if GOOD[name].cap is not None:
            continue  # caps lose something; test_pool.py compares with the twin
        np.testing.assert_array_equal(array, expected[tensor], name)
    (GOLDEN / "good" / f"{name}.efm").write_bytes(package)
    text = json.dumps(outcome(package), indent=1) + "\n"
    (GOLDEN / "good" / f"{name}.json").write_text(text, encoding="utf-8")
    print(f"good/{name}.efm: {len(package)} bytes")


def write_bad() -> None:
    """One file per rule; a rule's package is broken, then sealed again unless the seal is it."""
    folder = GOLDEN / "bad"
    for path in folder.glob("*.efm"):
        path.unlink()
    for rule in BROKEN:
        package = rule.make((GOLDEN / "good" / f"{rule.source}.efm").read_bytes())
        (folder / f"{rule.name}__{rule.status}.efm").write_bytes(package)
    print(f"bad: {len(BROKEN)} files")


def main(names: Sequence[str]) -> None:
    """Write what is missing or named, then everything bad."""
    for folder in ("good", "bad"):
        (GOLDEN / folder).mkdir(exist_ok=True)
    for name in GOOD:
        if name in names or not (GOLDEN / "good" / f"{name}.efm").exists():
            write_good(name)
    write_bad()


if __name__ == "__main__":
    main(sys.argv[1:])
