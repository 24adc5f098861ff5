# SPDX-License-Identifier: Apache-2.0
"""The one pipeline: model file -> Graph -> (quantise) -> Program -> Plan -> package."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgefm import coding, importers
from edgefm.container import CodedMap, Description, write_package
from edgefm.errors import BadInput
from edgefm.graph import Array, Graph
from edgefm.lower import lower
from edgefm.plan import Layout, Plan, Target, analyse, load_target, make_plan
from edgefm.preprocess import (
    InputInfo,
    Preprocess,
    choose_preprocess,
    load_image,
    value_range,
)
from edgefm.program import Program
from edgefm.quantize import QuantizeOptions, quantize

CALIBRATION_IMAGES = 200  # how many of --calib's files quantise a float network
CODEC_IMAGES = 16         # how many of them codec tables are learned from
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".npy")


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """What the command line and the API say about a compilation; sizes in bytes, None: no limit."""

    fast: int | None = None
    external: int | None = None
    codec: str = "raw"
    objective: str = "cost"
    cut: str = "auto"
    target: str | None = None
    calib: Path | None = None
    preprocess: str | None = None
    geometry: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A package with everything it was made from. `source` is the graph before quantisation."""

    package: bytes
    source: Graph
    graph: Graph
    program: Program
    plan: Plan
    preprocess: Preprocess | None


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """An imported network, quantised if it was float, and how pictures enter it."""

    source: Graph
    graph: Graph
    preprocess: Preprocess | None
    sha256: str


def load_model(path: Path, options: CompileOptions,
               tick: Callable[[], None] = lambda: None) -> Model:
    """Import a model file; a float network is quantised with the files of `options.calib`.

    Raises BadInput or UnsupportedModel with one line, also when a float network has no calibration.
    """
    source = importers.load(path)
    preprocess = choose_preprocess(source, options.preprocess, options.geometry)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    graph = source
    if source.is_float():
        inputs = calibration_inputs(source, preprocess, options.calib)
        limits = QuantizeOptions(input_range=value_range(preprocess) if preprocess else None)
        graph = quantize(source, inputs, limits, tick)
    return Model(source, graph, preprocess, digest)


def load_quantised(path: Path, options: CompileOptions) -> Graph:
    """The integer graph of a model file."""
    return load_model(path, options).graph


def calibration_files(directory: Path | None, why: str) -> list[Path]:
    """The pictures and .npy files of a folder, in order of name. Raises BadInput when none."""
    if directory is None:
        raise BadInput(f"{why}: calibration files are needed; expected --calib DIR")
    if not directory.is_dir():
        raise BadInput(f"{directory}: not a folder; expected one with pictures or .npy files")
    files = sorted(p for p in directory.iterdir() if p.suffix.lower() in PICTURES)
    if not files:
        raise BadInput(f"{directory}: no pictures or .npy files in it")
    return files


def calibration_inputs(graph: Graph, preprocess: Preprocess | None, directory: Path | None,
                       most: int = CALIBRATION_IMAGES) -> list[Array]:
    """At most `most` inputs for a graph, evenly spread over the folder's files."""
    files = calibration_files(directory, graph.name)
    step = max(1, len(files) // most)
    info = graph.tensors[graph.inputs[0]]
    target = InputInfo(info.shape, info.dtype) if info.quant is None else InputInfo(
        info.shape, info.dtype, info.scale, info.zero_point)
    return [load_image(f, preprocess, target) for f in files[::step][:most]]


def compile_model(path: Path, options: CompileOptions,
                  tick: Callable[[], None] = lambda: None) -> Compiled:
    """A model file to a package."""
    return compile_loaded(load_model(path, options, tick), options)


def compile_loaded(model: Model, options: CompileOptions) -> Compiled:
    """An imported model to a package; raises Infeasible when no plan fits the memory."""
    target = load_target(options.target).with_budget(options.fast, options.external)
    program = lower(model.graph)
    layout = analyse(program)
    plan, coded = plan_storage(model, layout, target, options)
    description = Description(model.sha256, model.preprocess, options.labels)
    package = write_package(model.graph, layout.program, plan, coded, description)
    return Compiled(package, model.source, model.graph, layout.program, plan, model.preprocess)


def plan_storage(model: Model, layout: Layout, target: Target,
                 options: CompileOptions) -> tuple[Plan, dict[int, CodedMap]]:
    """The plan, and how its external maps are coded."""
    storage = coding.storage_for(layout.program, options.codec)
    plan = make_plan(layout, target, options.objective, options.cut, storage)
    if not any(m.codec != "raw" for m in plan.maps):
        return plan, {}
    samples: list[list[Array]] = []
    if coding.needs_calibration(options.codec):
        samples = [[x] for x in calibration_inputs(model.graph, model.preprocess, options.calib,
                                                   CODEC_IMAGES)]
    roomy = make_plan(layout, load_target(None), "cost", "auto")
    package = write_package(model.graph, layout.program, roomy, {}, Description(model.sha256))
    return plan, coding.code_maps(layout.program, plan, options.codec, package, samples)
