# SPDX-License-Identifier: Apache-2.0
"""Imports a model file and quantizes it if it is float."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgefm import importers
from edgefm.compiler.calibration import inputs_of, spread_files, warn_of_few
from edgefm.compiler.engine import engine_for
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.own_defaults import with_own_defaults
from edgefm.errors import BadInput, naming
from edgefm.files.read import read_bytes
from edgefm.images.clipping import holds_numbers, input_range
from edgefm.images.preprocess import (
    PREPROCESSES,
    Preprocess,
    choose_preprocess,
    is_picture,
)
from edgefm.importers.tflite_metadata import read_metadata
from edgefm.network.affine import span_of
from edgefm.network.graph import Graph, Node, Tensor, with_distinct_names
from edgefm.ops.quantize import dequantized
from edgefm.quantization.choose import (
    QuantizeOptions,
    check_inputs,
    held_out_of,
    most_runs,
    quantize,
)
from edgefm.quantization.dequantize import dequantized_graph
from edgefm.shrink.channels import Removed, shrunk

FEW = 32  # with fewer calibration files, the ranges of a float network are uncertain


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """An imported network, quantized if it was float, without channels that it does not need
    (`removed`, by tensor index), how pictures enter it, and its file with what that calls its
    classes."""

    source: Graph
    graph: Graph
    preprocess: Preprocess | None
    sha256: str
    path: Path | None = None
    labels: tuple[str, ...] = ()
    removed: Mapping[int, Removed] = field(default_factory=dict)


def load_model(path: Path, options: CompileOptions,
               tick: Callable[[], None] = lambda: None) -> Model:
    """Import a model file; a float network is quantized with the files of `options.calib`.

    Raises BadInput or UnsupportedModel with one line, also for a float network without calibration.
    """
    source = importers.load(path, options.input_shape)
    with naming(path, source.name):
        return _quantized(path, source, options, tick)


def _quantized(path: Path, source: Graph, options: CompileOptions,
               tick: Callable[[], None]) -> Model:
    data = read_bytes(path)
    if path.suffix == ".tflite":
        options = with_own_defaults(options, source, read_metadata(data))
    if source.is_float():
        check_inputs(source)
        _expect_options(source, options)
    preprocess = choose_preprocess(source, options.preprocess, options.geometry,
                                   _needs_pictures(source, options))
    digest = hashlib.sha256(data).hexdigest()
    graph = _calibrated(source, preprocess, options, tick) if source.is_float() else source
    graph, removed = shrunk(graph)
    return Model(source, graph, preprocess, digest, path, options.labels, removed)


def _calibrated(source: Graph, preprocess: Preprocess | None, options: CompileOptions,
                tick: Callable[[], None]) -> Graph:
    """The 8-bit network of a float one."""
    files = spread_files(options.calib, source.name)
    inputs = inputs_of(files, source, preprocess)
    warn_of_few(options.calib, len(inputs), FEW, "the ranges of all maps are taken from them, "
                "and other files will be clipped or rounded coarsely")
    entry = source.tensors[source.inputs[0]]
    if entry.quant is None:
        limits = input_range(files, inputs, preprocess)
    else:  # its values are whole numbers on a scale: all of them can come
        limits = span_of(entry.quant, entry.dtype)
        inputs = [dequantized(x, entry) for x in inputs]
        source = dequantized_graph(source)
    how = QuantizeOptions(input_range=limits, held_out=held_out_of(len(inputs)))
    with engine_for(source, most_runs(len(inputs), how)) as engine:
        return _entered(quantize(source, inputs, how, tick, engine), entry)


def _entered(graph: Graph, entry: Tensor) -> Graph:
    """The network with the file's 8-bit input, if it has one, in front of its own."""
    t = graph.inputs[0]
    inner = graph.tensors[t]
    if entry.quant is None or (inner.dtype, inner.quant) == (entry.dtype, entry.quant):
        return graph
    tensors = [*graph.tensors, entry]
    tensors[t] = replace(inner, name=f"{inner.name}/{inner.dtype}")
    first = Node("quantize", tensors[t].name, (len(tensors) - 1,), (t,))
    return replace(graph, tensors=tuple(with_distinct_names(tensors)),
                   nodes=(first, *graph.nodes), inputs=(len(tensors) - 1,))


def _expect_options(source: Graph, options: CompileOptions) -> None:
    """Name everything that is missing for a float network in one error."""
    shape = source.tensors[source.inputs[0]].shape
    lacks_both = options.calib is None and options.preprocess is None
    if options.pictures and lacks_both and is_picture(shape):
        raise BadInput(f"{source.name}: a float network is quantized with typical inputs: expected "
                       "--calib DIR with .npy files, or with pictures and --preprocess "
                       f"{PREPROCESSES}, which says how they become numbers")


def _needs_pictures(source: Graph, options: CompileOptions) -> bool:
    """False when nothing shows that a package is for pictures: its input is float, and the user
    wants no pictures or calibrates with numbers alone."""
    if not options.pictures or source.tensors[source.inputs[0]].dtype != "float32":
        return options.pictures
    if options.preprocess is not None or options.calib is None:
        return True
    return not all(map(holds_numbers, spread_files(options.calib, source.name)))
