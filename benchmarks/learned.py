# SPDX-License-Identifier: Apache-2.0
"""Learned codes against plain ones: SqueezeNet's squeezed maps, or MobileNetV2's bottlenecks, at
equal bytes.

Trained rows are `edgefm.training.gf2` on imagenet_sample, without labels; the others code the
untrained network's maps, with steps of a constant times their standard deviation, the constant
chosen on imagenet_sample for the bytes of flat maps; `klt` mixes channels first, where nothing
rectifies between. Everything runs in the C runtime on
imagenet_val: KL and decisions against the untrained int8 network with plain maps. Bytes are those
that crossed the port in one direction, and 2 for each code's length. What is trained and measured
is kept in build/benchmarks/learned; empty it after changes of code.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from _common import (
    CACHE,
    SQUEEZENET,
    Network,
    bottleneck_names,
    data_folder,
    labels_of,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm import importers
from edgefm.codecs import CODECS, LENGTH_BYTES, RowShape, coded_bytes, fit_maps
from edgefm.codecs.fit import dctcm_fit
from edgefm.codecs.interface import Rows
from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.choose_codec import table_limit
from edgefm.compiler.map_storage import storage_for
from edgefm.compiler.pipeline import compile_model
from edgefm.files.write import make_folder, write_file
from edgefm.images.preprocess import choose_preprocess
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph
from edgefm.ops.quantize import dequantized, quantized
from edgefm.package.write import CodedMap, Description, write_package
from edgefm.planner import Target, analyze, make_plan
from edgefm.rate_distortion.channel_transform import in_good_coordinates
from edgefm.rate_distortion.divergence import Scores, divergences, package_of, scores
from edgefm.rate_distortion.requantize import requantize
from edgefm.runtime import Runtime
from edgefm.runtime.coder import code_map

FOLDER = CACHE / "learned"
TRAINED = ("--flat 5", "--flat 4", "--bits 4", "--bits 3.75", "--bits 3.5", "--bits 3", "--bits 2",
           "--bits 2 --share")
UNTRAINED = ("--flat 7", "--flat 6")
CODERS = {"context": (4, 3, 2), "context, klt": (4, 3, 2), "rice": (5, 4, 3),
          "dctcm": (6, 5, 4), "dctcm, ordered": (6, 5, 4)}
CONSTANTS = np.geomspace(0.04, 1.2, 6)  # steps in standard deviations that are tried
BASIS_PHOTOS = 48   # that a basis for channels is learned from
FIT_PHOTOS = 10     # that tables are learned from, and bytes foretold
CODED_PHOTOS = 16   # whose bytes are counted


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A package with coded maps, the graph in it, and the bytes of its codecs' tables."""

    graph: Graph
    package: bytes
    tables: int


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What every row is judged by."""

    data: Path
    network: Network
    plain: Graph
    fit: Sequence[Array]
    photos: Sequence[Array]
    reference: Scores
    labels: Array
    options: argparse.Namespace

    def basis(self) -> Sequence[Array]:
        """Photos that a basis for channels is learned from."""
        preprocess = choose_preprocess(self.plain, self.network.preprocess, None)
        return calibration_inputs(self.plain, preprocess, self.data / "images" / "imagenet_sample",
                                  BASIS_PHOTOS)


def main() -> None:
    """Print the table."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", default=SQUEEZENET, metavar="NAME", help="part of its name "
                           "(default: SqueezeNet)")
    arguments.add_argument("--images", type=int, default=650, metavar="N",
                           help="validation photos (default 650)")
    arguments.add_argument("--limit", type=int, default=500, metavar="N",
                           help="photos to train with (default 500)")
    arguments.add_argument("--epochs", type=int, default=2, help="of training (default 2)")
    arguments.add_argument("--only", nargs="+", default=[""], metavar="PART",
                           help="rows whose codec or arguments hold a part")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    print_table(("codec", "network", "bytes", "bits/value", "table bytes", "photos", "KL",
                 "top-1 points", "changed %"), _lines(options, data))


def _lines(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    bench = _bench(options, data)
    makers = [(spec, f"{epochs} epochs" if epochs else "untrained",
               partial(_trained, bench, spec, epochs))
              for epochs, specs in ((options.epochs, TRAINED), (0, UNTRAINED)) for spec in specs]
    makers += [(f"{coder} {bits}", "untrained", partial(_coarse, bench, coder, bits))
               for coder, budgets in CODERS.items() for bits in budgets]
    for spec, network, make in makers:
        if any(part in f"{spec} {network}" for part in options.only):
            yield (_title(spec), network, *_judged(bench, f"{spec} {network}", make))


def _title(spec: str) -> str:
    for option, title in (("--flat ", "flat, bits "), ("--bits ", "gf2, bits "),
                          (" --share", ", 2x2")):
        spec = spec.replace(option, title)
    return spec if spec.startswith(("flat", "gf2")) else f"{spec[:-2]}, bytes of {spec[-1]} bits"


def _bench(options: argparse.Namespace, data: Path) -> Bench:
    network, = networks(data, [options.model])
    plain = importers.load(network.file)
    preprocess = choose_preprocess(plain, network.preprocess, None)
    fit, photos = (calibration_inputs(plain, preprocess, data / "images" / folder, most)
                   for folder, most in (("imagenet_sample", FIT_PHOTOS),
                                        ("imagenet_val", options.images)))
    reference = scores(plain, photos)
    return Bench(data, network, plain, fit, photos, reference,
                 labels_of(data, len(photos), reference[0].scores.shape[1]), options)


# -- rows ------------------------------------------------------------------------------------------


def _trained(bench: Bench, spec: str, epochs: int) -> Coded:
    """A network and its codes, trained unless that was done before, compiled."""
    network, calib = bench.network, bench.data / "images" / "imagenet_sample"
    folder = FOLDER / f"{network.name}_{_plain(spec)}_{epochs}_{bench.options.limit}"
    if not (folder / "tables.npz").is_file():
        command = [sys.executable, "-m", "edgefm.training.gf2", str(network.source or network.file),
                   "--calib", str(calib), *spec.split(), "--epochs", str(epochs),
                   "--limit", str(bench.options.limit), "-o", str(folder)]
        command += ["--preprocess", network.preprocess] if network.preprocess else []
        subprocess.run(command, check=True, stdout=sys.stderr)
    file, tables = folder / "network.tflite", folder / "tables.npz"
    cut = ",".join(bottleneck_names(importers.load(file)))
    compiled = compile_model(file, options_for(network, bench.data, cut=cut, tables=tables))
    return Coded(compiled.graph, compiled.package,
                 sum(len(one.tables) for one in compiled.coded.values()))


def _plain(text: str) -> str:
    return text.replace("--", "").replace(",", "").replace(" ", "_")


def _coarse(bench: Bench, coder: str, bits: int) -> Coded:
    """The untrained network with coarser maps that take the bytes of flat ones."""
    names, sizes, base = bottleneck_names(bench.plain), _sizes(bench, coder), _base(bench, coder)
    wanted = bits / 8 * sum(rows[0].size for rows in _fine(bench, base).values())
    constant = float(np.exp(np.interp(-wanted, -np.array(sizes), np.log(CONSTANTS))))
    made = requantize(base, _factors(bench, base, constant))
    tables = _tables(coder, made, _maps(made, names, bench.fit))
    package = _package(made, names, coder.split(",")[0], tables)
    return Coded(made, package, sum(map(len, tables)))


@cache
def _base(bench: Bench, coder: str) -> Graph:
    """The plain network, or that with its bottlenecks' channels mixed."""
    if not coder.endswith("klt"):
        return bench.plain
    index = _index(bench.plain)
    stored = {index[name]: rows[0].size for name, rows in _fine(bench, bench.plain).items()}
    return in_good_coordinates(bench.plain, stored, bench.basis(), "klt").graph


@cache
def _sizes(bench: Bench, coder: str) -> list[float]:
    """Mean bytes of the coded maps with each of `CONSTANTS`."""
    graph, sizes = _base(bench, coder), []
    index = _index(graph)
    for constant in CONSTANTS:
        factors = _factors(bench, graph, constant)
        coarse = {name: [_coarser(one, graph, index[name], factors) for one in rows]
                  for name, rows in _fine(bench, graph).items()}
        sizes.append(_bytes(coder, graph, coarse) / len(bench.fit))
    return sizes


@cache
def _fine(bench: Bench, graph: Graph) -> dict[str, list[Rows]]:
    """The stored maps of a network whose steps did not grow."""
    return _maps(graph, bottleneck_names(bench.plain), bench.fit)


def _factors(bench: Bench, graph: Graph, constant: float) -> dict[int, float]:
    """By what the steps of a network grow that are to be `constant` standard deviations of the
    plain network's maps, by tensor."""
    index = _index(graph)
    return {index[name]: max(1.0, constant * float(np.std(np.stack(rows).astype(np.float32)))
                             * bench.plain.tensors[index[name]].scale
                             / graph.tensors[index[name]].scale)
            for name, rows in _fine(bench, bench.plain).items()}


def _index(graph: Graph) -> dict[str, int]:
    return {tensor.name: t for t, tensor in enumerate(graph.tensors)}


def _maps(graph: Graph, names: Sequence[str], photos: Sequence[Array]) -> dict[str, list[Rows]]:
    found: dict[str, list[Rows]] = {name: [] for name in names}
    with Runtime(package_of(graph)) as runtime:
        for photo in photos:
            taps = runtime.run([photo], taps=True).taps
            for name in names:
                found[name].append(taps[name].view(np.int8))
    return found


def _coarser(rows: Rows, graph: Graph, tensor: int, factors: dict[int, float]) -> Rows:
    zero = graph.tensors[tensor].zero_point
    levels = np.rint((rows.astype(np.float32) - zero) / factors[tensor])
    made: Rows = (levels + zero).astype(np.int8)
    return made


def _tables(coder: str, graph: Graph, maps: dict[str, list[Rows]]) -> list[bytes]:
    """Tables for each map; dctcm keeps the channels' own order unless it is named `ordered`."""
    zero = {tensor.name: tensor.zero_point for tensor in graph.tensors if tensor.quant}
    per_map = [(RowShape(*rows[0].shape[1:], zero[name]), rows) for name, rows in maps.items()]
    if coder.startswith("dctcm"):
        pick = -1 if "ordered" in coder else 0
        return [dctcm_fit.candidates(rows, shape)[pick].tables for shape, rows in per_map]
    return list(fit_maps(CODECS[coder.split(",")[0]], per_map, table_limit(lower(graph))))


def _bytes(coder: str, graph: Graph, maps: dict[str, list[Rows]]) -> int:
    codec = CODECS[coder.split(",")[0]]
    zero = {tensor.name: tensor.zero_point for tensor in graph.tensors if tensor.quant}
    return sum(coded_bytes(code_map(codec.id, tables, zero[name], rows, codec.lossless).rows)
               for tables, (name, all_rows) in zip(_tables(coder, graph, maps), maps.items(),
                                                   strict=True) for rows in all_rows)


def _package(graph: Graph, names: Sequence[str], codec: str, tables: Sequence[bytes]) -> bytes:
    layout = analyze(lower(graph))
    storage = storage_for(layout.program, codec)
    plan = make_plan(layout, Target(), "cost", ",".join(names), storage)
    known = dict(zip(names, tables, strict=True))
    coded = {i: CodedMap(CODECS[codec].id, known[m.name]) for i, m in enumerate(plan.maps)}
    return write_package(graph, layout.program, plan, coded, Description(""))


# -- judging ---------------------------------------------------------------------------------------


def _judged(bench: Bench, name: str, make: Callable[[], Coded]) -> tuple[object, ...]:
    """Bytes, bits per value, KL, points and changed decisions of a row; kept once measured."""
    asked = bench.options
    kept = FOLDER / f"{bench.network.name}_{_plain(name)}_{asked.images}_{asked.limit}.json"
    if not kept.is_file():
        say(name)
        make_folder(FOLDER)
        write_file(kept, json.dumps(_measured(bench, make())))
    found: list[object] = json.loads(kept.read_text(encoding="utf-8"))
    return tuple(found)


def _measured(bench: Bench, row: Coded) -> tuple[object, ...]:
    before, into = (graph.tensors[graph.inputs[0]] for graph in (bench.plain, row.graph))
    photos = [quantized(dequantized(photo, before), into) for photo in bench.photos]
    size, values = _stored(row.package, photos)
    changed = scores(row.graph, photos, row.package)
    kls = divergences(bench.reference, changed)
    before, after = (np.array([a.scores.argmax() for a in found])
                     for found in (bench.reference, changed))
    gained = (after == bench.labels).astype(float) - (before == bench.labels)
    return (round(size), 8 * size / values, row.tables, len(kls),
            f"{kls.mean():.4f} ± {_error(kls):.4f}",
            f"{100 * gained.mean():+.2f} ± {100 * _error(gained):.2f}",
            f"{100 * np.mean(before != after):.1f}")


def _stored(package: bytes, photos: Sequence[Array]) -> tuple[float, float]:
    """Mean bytes of the stored maps with the lengths of their codes, and their values."""
    with Runtime(package) as runtime:
        counters = [runtime.run([photo]).counters
                    for photo in photos[::max(1, len(photos) // CODED_PHOTOS)]]
    crossed = np.mean([c.coded_bytes for c in counters]) / 2
    return float(crossed + LENGTH_BYTES * counters[0].coded_rows), counters[0].coded_values / 2


def _error(values: Array) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5)


if __name__ == "__main__":
    main()
