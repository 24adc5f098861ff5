# SPDX-License-Identifier: Apache-2.0
"""A model file to an integer network: imported, and quantized where it is float."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgefm import importers
from edgefm.compiler.calibration import inputs_of, spread_files, warn_of_few
from edgefm.compiler.engine import engine_for
from edgefm.compiler.options import CompileOptions
from edgefm.errors import BadInput, naming
from edgefm.files.read import read_bytes
from edgefm.images.clipping import holds_numbers, input_range
from edgefm.images.preprocess import (
    PREPROCESSES,
    Preprocess,
    choose_preprocess,
    is_picture,
)
from edgefm.network.graph import Graph
from edgefm.quantization.choose import (
    QuantizeOptions,
    check_inputs,
    held_out_of,
    most_runs,
    quantize,
)
from edgefm.shrink.channels import Removed, shrunk

FEW = 32  # calibration files below which a float network's ranges are hardly known


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """An imported network, quantized if it was float, without channels that it does not need
    (`removed`, by tensor index), how pictures enter it, and its file."""

    source: Graph
    graph: Graph
    preprocess: Preprocess | None
    sha256: str
    path: Path | None = None
    removed: Mapping[int, Removed] = field(default_factory=dict)


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
        files = spread_files(options.calib, source.name)
        inputs = inputs_of(files, source, preprocess)
        warn_of_few(options.calib, len(inputs), FEW, "the ranges of all maps are taken from them, "
                     "and other files will be clipped or rounded coarsely")
        limits = QuantizeOptions(input_range=input_range(files, inputs, preprocess),
                                 held_out=held_out_of(len(inputs)))
        with engine_for(source, most_runs(len(inputs), limits)) as engine:
            graph = quantize(source, inputs, limits, tick, engine)
    graph, removed = shrunk(graph)
    return Model(source, graph, preprocess, digest, path, removed)


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
    return not all(map(holds_numbers, spread_files(options.calib, source.name)))
