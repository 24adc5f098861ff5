# SPDX-License-Identifier: Apache-2.0
"""The one pipeline: model file -> Graph -> (quantize) -> Program -> Plan -> package.

A budget for loss or for bytes inserts a step: once the plan says which maps are stored, those get
coarser scales, and the package is made of the coarser network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from warnings import warn

from edgefm import importers, rate_distortion
from edgefm.codecs.tables_file import read_tables, step_factors
from edgefm.compiler import choose_codec, onchip
from edgefm.compiler.external import Deployed, Outside
from edgefm.compiler.options import CompileOptions
from edgefm.console.notation import size_text
from edgefm.errors import BadInput, CalibrationWarning, naming
from edgefm.files.read import files_in, read_bytes
from edgefm.files.write import write_file
from edgefm.html.notebook import fields_table
from edgefm.images.clipping import holds_numbers, input_range, warn_of_clipped
from edgefm.images.picture import load_picture
from edgefm.images.preprocess import (
    PREPROCESSES,
    InputInfo,
    Preprocess,
    choose_preprocess,
    is_picture,
    load_image,
    picture_size,
)
from edgefm.network.graph import Array, Graph
from edgefm.network.program import Program
from edgefm.package.container import CodedMap, Description, write_package
from edgefm.planner import OBJECTIVES, Layout, Plan, Target, find_plan, load_target
from edgefm.quantization.choose import QuantizeOptions, check_inputs, held_out_of, quantize
from edgefm.rate_distortion import Rate
from edgefm.rate_distortion.quality import SAMPLES, Chooser, chooser_for
from edgefm.rate_distortion.requantize import requantize

CALIBRATION_IMAGES = 500  # how many of --calib's files quantize a float network
CODEC_IMAGES = 16         # how many of them codec tables are learned from
LEAST_FACTOR = 0.05       # of a map's step, where its tables are for a finer one
FEW = 32                  # files below which a float network's ranges are hardly known
FEW_FOR_TABLES = 4        # the same for codec tables
FEW_FOR_BUDGET = 20       # the same for a budget that is kept on four in five of them
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".npy")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Compiled:
    """A package with everything it was made from.

    `source` is the graph before quantization, `uncompressed` the one before its stored maps got
    coarser steps, `graph` the one in the package; `coded` says how each of `plan.maps` is coded
    that is not raw.
    """

    package: bytes
    source: Graph
    uncompressed: Graph
    graph: Graph
    program: Program
    plan: Plan
    preprocess: Preprocess | None
    coded: Mapping[int, CodedMap]
    rate: Rate | None = None
    layout: Layout | None = None

    def save(self, path: str | Path) -> Path:
        """Write the package; the file appears whole or not at all. Raises BadInput."""
        write_file(Path(path), self.package)
        return Path(path)

    def __repr__(self) -> str:
        return (f"<Compiled {self.graph.name}: {len(self.package):,} bytes, "
                f"{self.plan.totals_text()}>")

    def _repr_html_(self) -> str:
        return fields_table(f"Compiled {self.graph.name}", {
            "package": size_text(len(self.package)), **self.plan.totals()})


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """An imported network, quantized if it was float, how pictures enter it, and its file."""

    source: Graph
    graph: Graph
    preprocess: Preprocess | None
    sha256: str
    path: Path | None = None


def load_model(path: Path, options: CompileOptions,
               tick: Callable[[], None] = lambda: None) -> Model:
    """Import a model file; a float network is quantized with the files of `options.calib`.

    Raises BadInput or UnsupportedModel with one line, also when a float network has no calibration.
    """
    source = importers.load(path)
    with naming(path, source.name):
        return _quantized(path, source, options, tick)


def _quantized(path: Path, source: Graph, options: CompileOptions,
               tick: Callable[[], None]) -> Model:
    if source.is_float():
        check_inputs(source)
        _expect_options(source, options)
    preprocess = choose_preprocess(source, options.preprocess, options.geometry,
                                   _needs_pictures(source, options))
    digest = hashlib.sha256(read_bytes(path)).hexdigest()
    graph = source
    if source.is_float():
        files = _chosen(options.calib, source.name, CALIBRATION_IMAGES)
        inputs = _inputs_of(files, source, preprocess)
        _warn_of_few(options.calib, len(inputs), FEW, "the ranges of all maps are taken from them, "
                     "and other files will be clipped or rounded coarsely")
        limits = QuantizeOptions(input_range=input_range(files, inputs, preprocess),
                                 held_out=held_out_of(len(inputs)))
        graph = quantize(source, inputs, limits, tick)
    return Model(source, graph, preprocess, digest, path)


def _expect_options(source: Graph, options: CompileOptions) -> None:
    """Name all that a float network lacks at once."""
    shape = source.tensors[source.inputs[0]].shape
    lacks_both = options.calib is None and options.preprocess is None
    if options.pictures and lacks_both and is_picture(shape):
        raise BadInput(f"{source.name}: a float network is quantized with typical pictures, and "
                       "how they become numbers must be said: expected --calib DIR and "
                       f"--preprocess {PREPROCESSES}")


def _needs_pictures(source: Graph, options: CompileOptions) -> bool:
    """True unless nothing shows that a package is for pictures: its input is float, and whoever
    compiles it wants none or calibrates with numbers alone."""
    if not options.pictures or source.tensors[source.inputs[0]].dtype != "float32":
        return options.pictures
    if options.preprocess is not None or options.calib is None:
        return True
    return not all(map(holds_numbers, _chosen(options.calib, source.name, CALIBRATION_IMAGES)))


def load_quantized(path: Path, options: CompileOptions) -> Graph:
    """The integer graph of a model file."""
    return load_model(path, options).graph


def calibration_files(directory: Path | None, why: str) -> list[Path]:
    """The pictures and .npy files of a folder, in order of name. Raises BadInput when none."""
    if directory is None:
        raise BadInput(f"{why}: calibration files are needed; expected --calib DIR")
    if not directory.is_dir():
        raise BadInput(f"{directory}: not a folder; expected one with pictures or .npy files")
    files = files_in(directory, PICTURES)
    if not files:
        raise BadInput(f"{directory}: no pictures or .npy files in it")
    return files


def calibration_inputs(graph: Graph, preprocess: Preprocess | None, directory: Path | None,
                       most: int = CALIBRATION_IMAGES) -> list[Array]:
    """At most `most` inputs for a graph, evenly spread over the folder's files."""
    return _inputs_of(_chosen(directory, graph.name, most), graph, preprocess)


def _inputs_of(files: Sequence[Path], graph: Graph, preprocess: Preprocess | None) -> list[Array]:
    info = graph.tensors[graph.inputs[0]]
    target = InputInfo(info.shape, info.dtype) if info.quant is None else InputInfo(
        info.shape, info.dtype, info.scale, info.zero_point)
    _warn_of_small(files, preprocess, target)
    inputs = [load_image(f, preprocess, target) for f in files]
    warn_of_clipped(files, target, files[0].parent)
    return inputs


def _chosen(directory: Path | None, why: str, most: int) -> list[Path]:
    """At most `most` calibration files, evenly spread."""
    files = calibration_files(directory, why)
    return files[::max(1, len(files) // most)][:most]


def _warn_of_few(directory: Path | None, met: int, few: int, consequence: str) -> None:
    if met < few:
        warn(CalibrationWarning(f"{directory}: {met} calibration file{'s' * (met != 1)}, expected "
                                f"at least {few}: {consequence}"), stacklevel=3)


def _warn_of_small(files: Sequence[Path], preprocess: Preprocess | None, target: InputInfo) -> None:
    """Say when the first picture has less than half the input's pixels on either side."""
    pictures = [path for path in files if path.suffix.lower() != ".npy"]
    if preprocess is None or not pictures:
        return
    size, wanted = load_picture(pictures[0]).size, picture_size(target.shape)
    if all(2 * met < side for met, side in zip(size, wanted, strict=True)):
        warn(CalibrationWarning(
            f"{pictures[0]}: {size[0]}x{size[1]} pixels are enlarged to {wanted[0]}x{wanted[1]}: "
            "ranges, codec tables and budgets are fitted to blurred pictures"), stacklevel=3)


def compile_model(path: Path, options: CompileOptions,
                  tick: Callable[[], None] = lambda: None) -> Compiled:
    """A model file to a package."""
    return compile_loaded(load_model(path, options, tick), options, tick)


def compile_loaded(model: Model, options: CompileOptions,
                   tick: Callable[[], None] = lambda: None) -> Compiled:
    """An imported model to a package; raises Infeasible when no plan fits the memory."""
    with naming(model.path, model.graph.name):
        return _compiled(model, options, tick)


def _compiled(model: Model, options: CompileOptions, tick: Callable[[], None]) -> Compiled:
    budget = options.budget
    target = load_target(options.target).with_budget(options.fast, options.external)
    given = read_tables(options.tables) if options.tables else {}
    base = requantize(model.graph, step_factors(given, model.graph), LEAST_FACTOR)
    if options.map_codec != "temporal" and (options.tolerance or options.refresh):
        raise BadInput(f"{model.graph.name}: a tolerance and a refresh are for the codec temporal, "
                       f"met {options.map_codec}")
    if target.external_bytes == 0 and options.map_codec == "temporal":
        raise BadInput(f"{model.graph.name}: temporal codes maps in external memory, and there is "
                       "none")
    if target.external_bytes == 0 and given:
        raise BadInput(f"{options.tables}: tables are for maps in external memory, and there is "
                       "none")
    if target.external_bytes == 0 and options.map_codec != "raw":
        return _pooled(model, options, target, tick)
    samples: list[Array] = []
    if budget is not None:
        samples = calibration_inputs(model.graph, model.preprocess, options.calib,
                                     rate_distortion.IMAGES)
        _warn_of_few(options.calib, len(samples), FEW_FOR_BUDGET, "the budget is measured on four "
                     "in five of them, and other files may lose several times as much")

    @cache
    def table_samples() -> list[Array]:
        found = calibration_inputs(model.graph, model.preprocess, options.calib, CODEC_IMAGES)
        _warn_of_few(options.calib, len(found), FEW_FOR_TABLES, "codec tables are learned from "
                     "them, and maps of other files take more bytes")
        return found

    outside = Outside(base, table_samples, target, options.objective, options.cut,
                      options.map_codec, given, tick, options.tolerance, options.refresh,
                      _chooser(replace(model, graph=base), options,
                               rate_distortion.split(samples)[0], tick))
    return _packed(model, options, outside.run(budget, samples, options.how))


def other_plan(compiled: Compiled, options: CompileOptions) -> Plan | None:
    """What the other objective would give: with the stages of this one known it takes little time.

    None where it cannot differ, or would take long or another network: with all the memory that is
    useful, fixed cuts, a page pool, tables or a budget.
    """
    target = load_target(options.target).with_budget(options.fast, options.external)
    if (compiled.layout is None or (options.fast is None and target.fast_bytes is None)
            or options.cut != "auto" or compiled.plan.pool_pages or options.tables
            or options.budget or options.quality != "even"):
        return None
    other = next(name for name in OBJECTIVES if name != options.objective)
    storage = choose_codec.storage_for(compiled.program, options.map_codec, refresh=options.refresh)
    return find_plan(compiled.layout, target, other, storage)


def _chooser(model: Model, options: CompileOptions, samples: Sequence[Array],
             tick: Callable[[], None]) -> Chooser | None:
    """What chooses quality maps, on calibration files that no budget is kept on."""
    if options.quality != "even" and not samples:
        samples = calibration_inputs(model.graph, model.preprocess, options.calib, SAMPLES)
    return chooser_for(model.graph, samples, options.quality, options.tile, tick)


def _packed(model: Model, options: CompileOptions, made: Deployed) -> Compiled:
    description = Description(model.sha256, model.preprocess, options.labels,
                              made.rate.to_json() if made.rate else None)
    package = write_package(made.graph, made.layout.program, made.plan, made.coded, description)
    return Compiled(package, model.source, model.graph, made.graph, made.layout.program, made.plan,
                    model.preprocess, made.coded, made.rate, made.layout)


def _pooled(model: Model, options: CompileOptions, target: Target,
            tick: Callable[[], None]) -> Compiled:
    """A package for a board without external memory."""
    budget = options.budget
    if budget is not None and budget.nats is None:
        raise BadInput(f"{model.graph.name}: a budget in bytes is for external memory; without "
                       "any, expected a budget for loss, and --fast for the bytes")
    samples = calibration_inputs(model.graph, model.preprocess, options.calib, onchip.IMAGES)
    made = onchip.Pooling(model.graph, samples, target, options.objective, options.cut,
                           options.map_codec, tick,
                           _chooser(model, options, samples[::onchip.PARTS], tick)).run(
        budget.nats if budget else None, options.how)
    return _packed(model, options, made)
