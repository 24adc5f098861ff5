# SPDX-License-Identifier: Apache-2.0
"""Float32 `.onnx` files -> `Graph`.

The file, its inputs, outputs and constants; `onnx_operators.py` says what an operator becomes.
Whatever depends on constants alone (torch's flatten idiom: Shape, Gather, Unsqueeze, Concat) is
computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING
from warnings import warn

import numpy as np

from edgefm.errors import BadInput, CalibrationWarning, UnsupportedModel
from edgefm.importers.check import MOST_ELEMENTS, check_graph
from edgefm.importers.convolutions import is_ordinary, ordinary
from edgefm.importers.faults import Faults
from edgefm.importers.integers import float_graph, integer_graph, is_quantized, without_scales
from edgefm.importers.onnx_build import (
    CHANNEL_LAST,
    MAX_DIMENSION,
    MOST_DIMENSIONS,
    Build,
    Call,
    Edge,
    arranged,
    as_float32,
    most_constants,
    place,
)
from edgefm.importers.onnx_expand import spelled_out
from edgefm.importers.onnx_file import check_model, first_line, read_model, shapes_of
from edgefm.importers.onnx_folding import FOLDABLE, fold
from edgefm.importers.onnx_gelu import with_gelus
from edgefm.importers.onnx_operators import CONVERTERS
from edgefm.importers.rules import quoted
from edgefm.network.graph import Graph, Tensor, with_distinct_names
from edgefm.network.rewrite import fuse

if TYPE_CHECKING:
    import onnx

_INPUT_TYPES = {1: "float32", 10: "float32", 11: "float32", 2: "uint8", 3: "int8"}  # of TensorProto
_MOST_INPUTS = 64
_OPSETS = (7, 28)  # oldest and newest of ONNX whose operators mean what the converters say
_OWN_DOMAINS = ("", "ai.onnx")
_ORT_DOMAINS = ("com.microsoft.", "com.ms.")
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinear", "Integer")


def load_onnx(path: Path, input_shape: tuple[int, ...] | None = None,
              faults: Faults | None = None) -> Graph:
    """Read an ONNX model; a symbolic batch becomes 1, images become [1,H,W,C].

    `input_shape`, in ONNX's order, fills in what the file leaves open about its one input. `faults`
    may keep the errors of single layers; what such a layer makes is then an input.

    Raises BadInput for a broken file, UnsupportedModel for what edgefm cannot run, MissingTool
    without the `onnx` package.
    """
    model, size = read_model(path)
    calls = spelled_out([_call(node, i) for i, node in enumerate(model.graph.node)])
    opset, faults = _opset(path, model), faults or Faults()
    build = Build(path, opset, most_constants(size))
    _initializers(build, model)
    calls = with_gelus(calls, _scalars(build, calls))
    if not faults.kept:
        _refuse_unknown(path, calls)
    check_model(path, model)
    inputs = _inputs(build, model, calls, input_shape)
    shapes = shapes_of(model) if faults.kept else {}
    for call in calls:
        known = len(faults.found)
        with faults.of_layer():
            _refuse_unknown(path, [call])
            if build.lost.intersection(call.inputs):  # of a layer whose fault is known
                build.lost.update(call.outputs)
                faults.unseen += 1
                continue
            try:
                with np.errstate(all="ignore"):
                    _convert(build, call)
            except (ValueError, LookupError, ArithmeticError, MemoryError, RuntimeError) as error:
                raise BadInput(f"{place(path, call)}: {first_line(error)}") from error
        if len(faults.found) > known:
            inputs += _unmade(build, call, shapes)
    outputs = _outputs(build, [value.name for value in model.graph.output
                               if not faults.found or value.name in build.values])
    name = model.graph.name or path.stem
    graph = Graph(name, tuple(with_distinct_names(build.tensors)), tuple(build.nodes), inputs,
                  outputs)
    with faults.of_layer():
        return _on_its_scales(path, graph)
    return graph


def _unmade(build: Build, call: Call, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Inputs in place of what a call with a kept fault would have made, as far as shapes are
    known."""
    made = []
    for name in call.outputs:
        shape = shapes.get(name, ())
        if name and shape and len(shape) <= MOST_DIMENSIONS and prod(shape) <= MOST_ELEMENTS:
            axes = CHANNEL_LAST if len(shape) == 4 else tuple(range(len(shape)))
            build.tensors.append(Tensor(name, tuple(shape[a] for a in axes), "float32"))
            made.append(len(build.tensors) - 1)
            build.values[name] = Edge(made[-1], shape, axes)
        elif name:
            build.lost.add(name)
    return tuple(made)


def _on_its_scales(path: Path, graph: Graph) -> Graph:
    """The 8-bit graph of a file that says scales, else the float one."""
    if not is_ordinary(graph):  # activations belong to a convolution before it is taken apart
        graph = ordinary(fuse(graph))
    if not is_quantized(graph):
        return without_scales(graph)
    try:
        return check_graph(integer_graph(graph))
    except UnsupportedModel as error:
        warn(CalibrationWarning(f"{path}: {error}: the file's scales are ignored, and the network "
                                "is quantized with --calib like a float one"), stacklevel=2)
        return float_graph(graph)
    except BadInput as error:
        raise type(error)(f"{path}: {error}") from None


def _call(node: onnx.NodeProto, index: int) -> Call:
    from onnx.helper import get_attribute_value
    try:
        attrs = {a.name: get_attribute_value(a) for a in node.attribute if not a.ref_attr_name}
    except ValueError:  # an attribute of no known type; the check of the whole model reports it
        attrs = {}
    op = f"{node.op_type}" if node.domain in _OWN_DOMAINS else f"{node.domain}.{node.op_type}"
    name = node.name or (node.output[0] if node.output else f"#{index}")
    return Call(op if op.isprintable() else quoted(op), name, tuple(node.input),
                tuple(node.output), attrs, node)


def _refuse_unknown(path: Path, calls: Sequence[Call]) -> None:
    for call in calls:
        if call.op not in CONVERTERS and call.op not in FOLDABLE:
            raise UnsupportedModel(f"{place(path, call)}: edgefm has no operator {call.op}"
                                   f"{_way_out(call.op)}")


def _way_out(op: str) -> str:
    """What to do about operators that a tool put in place of others."""
    if any(word in op for word in _QUANTIZED):
        return ("; the file is quantized already: expected the float model that it was made from "
                "(edgefm quantizes it with --calib DIR), or a quantized .tflite")
    if op.startswith(_ORT_DOMAINS):
        return ("; onnxruntime put it there while it optimized the file: expected the file before "
                "that")
    return ""


def _opset(path: Path, model: onnx.ModelProto) -> int:
    """The version of ONNX's operators; UnsupportedModel unless their rules are known here."""
    found: list[int] = [o.version for o in model.opset_import if o.domain in _OWN_DOMAINS]
    oldest, newest = _OPSETS
    if not found:
        if model.opset_import:
            raise UnsupportedModel(f"{path}: imports no opset of ONNX's own operators; expected "
                                   f"{oldest}..{newest}")
        found = [1]
    for opset in found:
        if not oldest <= opset <= newest:
            raise UnsupportedModel(f"{path}: ONNX opset {opset}; expected {oldest}..{newest} "
                                   "(onnx.version_converter makes one of another)")
    return max(found)


def _initializers(build: Build, model: onnx.ModelProto) -> None:
    from onnx.numpy_helper import to_array
    if model.graph.sparse_initializer:
        raise UnsupportedModel(f"{build.path}: sparse initializers are not supported")
    for entry in model.graph.initializer:
        if len(entry.dims) > MOST_DIMENSIONS:
            raise UnsupportedModel(f"{build.path}: initializer {quoted(entry.name)} has "
                                   f"{len(entry.dims)} dimensions; expected at most "
                                   f"{MOST_DIMENSIONS}")
        try:
            build.values[entry.name] = as_float32(to_array(entry))
        except Exception as error:  # whatever ONNX makes of a hostile constant
            raise BadInput(f"{build.path}: initializer {quoted(entry.name)}: {first_line(error)}"
                           ) from error


def _scalars(build: Build, calls: Sequence[Call]) -> dict[str, float]:
    """The constants of one real number, by name."""
    found = {name: value for name, value in build.values.items() if isinstance(value, np.ndarray)}
    for call in calls:
        if call.op == "Constant" and hasattr(call.attrs.get("value"), "dims"):
            if prod(call.attrs["value"].dims) == 1:
                with suppress(Exception):  # whatever ONNX makes of a hostile constant
                    from onnx.numpy_helper import to_array
                    found[call.outputs[0]] = to_array(call.attrs["value"])
        elif call.op == "Constant" and "value_float" in call.attrs:
            found[call.outputs[0]] = np.asarray(call.attrs["value_float"])
    return {name: float(value.item()) for name, value in found.items()
            if value.size == 1 and value.dtype.kind == "f"}


def _inputs(build: Build, model: onnx.ModelProto, calls: Sequence[Call],
            given: tuple[int, ...] | None) -> tuple[int, ...]:
    used = {name for call in calls for name in call.inputs} | {v.name for v in model.graph.output}
    entries = [value for value in model.graph.input  # before IR version 4 weights are here too
               if value.name not in build.values]
    entries = [value for value in entries if value.name in used] or entries
    if len(entries) > _MOST_INPUTS or (given is not None and len(entries) != 1):
        raise UnsupportedModel(f"{build.path}: {len(entries)} inputs; expected at most "
                               f"{_MOST_INPUTS if given is None else 1}")
    indices: list[int] = []
    for value in entries:
        where, kind = f"{build.path}: input {value.name!r}", value.type.tensor_type
        dtype = _INPUT_TYPES.get(kind.elem_type)
        if dtype is None:
            raise UnsupportedModel(f"{where}: it is of type {kind.elem_type}; expected real "
                                   "numbers, or 8-bit ones")
        said = [d.dim_value for d in kind.shape.dim]
        shape = _settled(where, said if kind.HasField("shape") else None, given)
        build.batch = said[0] if said else 1
        axes = _input_axes(value.name, len(shape), calls)
        build.tensors.append(Tensor(value.name, tuple(shape[a] for a in axes), dtype))
        indices.append(len(build.tensors) - 1)
        build.values[value.name] = Edge(indices[-1], shape, axes)
    return tuple(indices)


def _settled(where: str, said: Sequence[int] | None, given: tuple[int, ...] | None
             ) -> tuple[int, ...]:
    """The shape of an input: as the file says (0 is left open, None is nothing said) and `given`
    fills in; an open batch is 1."""
    dims = list(said if said is not None else given or ())
    if len(dims) > MOST_DIMENSIONS:
        raise UnsupportedModel(f"{where}: {len(dims)} dimensions; expected at most "
                               f"{MOST_DIMENSIONS}")
    if given is not None:
        fits = len(given) == len(dims) and given[:1] == (1,) and all(
            mine in (0, theirs) for mine, theirs in zip(dims[1:], given[1:], strict=True))
        if not fits:
            raise BadInput(f"{where}: got the input shape {_spelled(given)}, expected "
                           f"{_spelled((1, *dims[1:]))}")
        dims = list(given)
    remedy = f"--input-shape {_spelled((1, *dims[1:])) if dims else '1,3,?,?'}"
    if dims and dims[0] not in (0, 1):
        raise UnsupportedModel(f"{where}: batch {dims[0]}; a device runs one at a time: expected "
                               + remedy)
    if not dims or min(dims[1:], default=1) < 1:
        raise UnsupportedModel(f"{where}: its shape leaves sizes open: expected {remedy} with "
                               "numbers for every ?")
    if max(dims) > MAX_DIMENSION or prod(dims[1:]) > MOST_ELEMENTS:
        raise UnsupportedModel(f"{where}: shape {dims}; expected at most {MOST_ELEMENTS} elements")
    return (1, *dims[1:])


def _spelled(dims: Sequence[int]) -> str:
    """Sizes as --input-shape takes them; "?" is open."""
    return ",".join(str(size) if size > 0 else "?" for size in dims)


def _input_axes(name: str, rank: int, calls: Sequence[Call]) -> tuple[int, ...]:
    """Images are NCHW, unless all the model does with one is to transpose it from NHWC."""
    users = [call for call in calls if name in call.inputs]
    is_last = users and all(call.op == "Transpose" and
                            tuple(call.attrs.get("perm", ())) == (0, 3, 1, 2) for call in users)
    return tuple(range(rank)) if rank != 4 or is_last else CHANNEL_LAST


def _outputs(build: Build, names: Sequence[str]) -> tuple[int, ...]:
    """The tensors of the outputs; names of the same tensor (by Identity) get a copy each."""
    made: list[int] = []
    for name in names:
        edge = _output(build, name)
        if edge.tensor in made:
            edge = build.emit("reshape", name, (edge.tensor,), edge.shape, edge.axes)
        made.append(edge.tensor)
    return tuple(made)


def _output(build: Build, name: str) -> Edge:
    value = build.values.get(name)
    if not isinstance(value, Edge):
        raise UnsupportedModel(f"{build.path}: output {name!r} does not depend on an input")
    if value.axes == CHANNEL_LAST:
        return value
    return arranged(build, value, tuple(range(len(value.shape))))


def _convert(build: Build, call: Call) -> None:
    """Compute a constant, or add the graph nodes for one ONNX node."""
    for name in call.inputs:
        if name and name not in build.values:
            raise build.fail(call, f"input {name!r} is a side output, which is not supported")
    given = [build.values[name] for name in call.inputs if name]
    if call.op in FOLDABLE and all(isinstance(value, np.ndarray) for value in given):
        fold(build, call)
    elif call.op in CONVERTERS:
        build.values[call.outputs[0]] = CONVERTERS[call.op](build, call)
    else:
        raise build.fail(call, "its inputs must be constant")
