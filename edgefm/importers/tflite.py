# SPDX-License-Identifier: Apache-2.0
"""TFLite files to a `Graph`, with our own flatbuffer reader.

Tensor i of the graph is tensor i of the file, so that both can be compared by index; what the
importer folded is a constant, and tensors that nothing reads any more stay where they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.files.read import read_bytes
from edgefm.importers.batches import without_batches
from edgefm.importers.check import check_graph
from edgefm.importers.convolutions import ordinary
from edgefm.importers.faults import Faults
from edgefm.importers.flatbuffer import Table, most_bytes, root
from edgefm.importers.hybrid import with_float_weights
from edgefm.importers.rules import quoted
from edgefm.importers.tflite_folding import fold_layer
from edgefm.importers.tflite_layer import Layer
from edgefm.importers.tflite_operators import read_layer
from edgefm.importers.tflite_schema import (
    CUSTOM,
    DTYPES,
    IDENTIFIER,
    OPTIONS,
    VERSION,
    BufferSlot,
    CodeSlot,
    ModelSlot,
    OperatorSlot,
    QuantSlot,
    SubgraphSlot,
    TensorSlot,
    operator_name,
)
from edgefm.importers.tflite_sparse import MOST_BYTES, dense
from edgefm.network.graph import MOST_NAME, Array, Graph, Node, Quant, Tensor, with_distinct_names

_MOST_DIMENSIONS = 8
_MOST_FOLDED = 1 << 28  # bytes


def load_tflite(path: Path, faults: Faults | None = None) -> Graph:
    """Read a .tflite file; BadInput names it and says what is wrong or not supported.

    `faults` may keep the errors of single layers; what such a layer makes is then an input.
    """
    return parse_tflite(read_bytes(path), path.name, faults)


def parse_tflite(data: bytes, name: str, faults: Faults | None = None) -> Graph:
    """The graph in the bytes of a .tflite file; `name` is the file's name, for messages too."""
    faults = faults or Faults()
    try:
        model = root(data, IDENTIFIER)
        graph = _read_model(model, name.removesuffix(".tflite"), most_bytes(data), faults)
        return check_graph(ordinary(with_float_weights(without_batches(graph))), faults)
    except BadInput as error:
        raise type(error)(f"{name}: {error}") from None


def _read_model(model: Table, name: str, most: int, faults: Faults) -> Graph:
    version = model.number(ModelSlot.VERSION, "I")
    if version != VERSION:
        raise BadInput(f"TFLite schema version {version}, expected {VERSION}")
    subgraphs = model.tables(ModelSlot.SUBGRAPHS)
    codes = [_read_code(c) for c in model.tables(ModelSlot.OPERATOR_CODES)]
    _check_subgraphs(len(subgraphs), codes)
    subgraph = subgraphs[0]
    buffers = [_read_buffer(b) for b in model.tables(ModelSlot.BUFFERS)]
    tables = subgraph.tables(SubgraphSlot.TENSORS)
    tensors = with_distinct_names([_read_tensor(t, i, buffers) for i, t in enumerate(tables)])
    sparse = [t.table(TensorSlot.SPARSITY) is not None for t in tables]
    for kind, limit in ((False, most), (True, MOST_BYTES)):
        if sum(_bytes_of(t) for t, one in zip(tensors, sparse, strict=True) if one is kind) > limit:
            raise BadInput("its constants cover the same bytes too often")
    nodes, unmade = _read_nodes(subgraph.tables(SubgraphSlot.OPERATORS), codes, tensors, faults)
    inputs = subgraph.integers(SubgraphSlot.INPUTS) or ()
    for i in inputs:
        if 0 <= i < len(tables):
            _check_static(tables[i], tensors[i])
    return Graph(name, tuple(tensors), tuple(nodes), (*inputs, *unmade),
                 subgraph.integers(SubgraphSlot.OUTPUTS) or ())


def _check_subgraphs(count: int, codes: Sequence[str]) -> None:
    if "VAR_HANDLE" in codes:
        raise UnsupportedModel("it keeps variables between runs (VAR_HANDLE), expected a network "
                               "whose output depends on its inputs alone")
    if count != 1:
        raise UnsupportedModel(f"it has {count} subgraphs, expected 1")


def _read_buffer(table: Table) -> Array | None:
    """The bytes of a buffer; None when it is empty, as that of a computed tensor is."""
    if table.number(BufferSlot.OFFSET, "Q") > 1 or table.number(BufferSlot.SIZE, "Q") > 1:
        raise UnsupportedModel("its weights lie outside the flatbuffer")
    data = table.vector(BufferSlot.DATA, "uint8")
    return data if data is not None and data.size else None


def _read_code(table: Table) -> str:
    code = max(table.number(CodeSlot.SMALL_CODE, "b"), table.number(CodeSlot.CODE, "i"))
    if code != CUSTOM:
        return operator_name(code)
    custom = table.text(CodeSlot.CUSTOM_CODE)
    return custom if custom.isprintable() and len(custom) < MOST_NAME else quoted(custom)


def _read_tensor(table: Table, index: int, buffers: Sequence[Array | None]) -> Tensor:
    name = table.text(TensorSlot.NAME)
    where = f"tensor {index} ({quoted(name)})"
    shape = table.integers(TensorSlot.SHAPE) or ()
    if len(shape) > _MOST_DIMENSIONS:
        raise UnsupportedModel(f"{where} has {len(shape)} dimensions")
    if shape[:1] == (-1,):
        shape = (1, *shape[1:])  # any batch: one image
    code = table.number(TensorSlot.TYPE, "b")
    dtype = DTYPES[code] if 0 <= code < len(DTYPES) else f"type {code}"
    if table.number(TensorSlot.IS_VARIABLE, "?"):
        raise UnsupportedModel(f"{where} keeps its value between runs")
    if table.number(TensorSlot.EXTERNAL_BUFFER, "I"):
        raise UnsupportedModel(f"{where} lies outside the flatbuffer")
    buffer = table.number(TensorSlot.BUFFER, "I")
    if buffer >= max(len(buffers), 1):
        raise BadInput(f"{where} is in buffer {buffer} of {len(buffers)}")
    raw = buffers[buffer] if buffers else None
    quant = _read_quant(table.table(TensorSlot.QUANTIZATION), shape, where)
    sparsity = table.table(TensorSlot.SPARSITY)
    data = None if raw is None else _constant(raw, shape, dtype, where, sparsity)
    return Tensor(name, shape, dtype, quant, data)


def _bytes_of(tensor: Tensor) -> int:
    return 0 if tensor.data is None else tensor.data.nbytes


def _constant(raw: Array, shape: tuple[int, ...], dtype: str, where: str,
              sparsity: Table | None) -> Array | None:
    if dtype not in ("float32", "float16", "int32", "int64", "int8", "uint8"):
        return None  # whatever reads such a tensor is refused
    kind = np.dtype(dtype)
    if sparsity is not None and raw.size % kind.itemsize == 0:
        values = raw.view(kind.newbyteorder("<")).astype(kind, copy=False)
        return dense(sparsity, values, shape, where)
    if min(shape, default=1) < 0 or math.prod(shape) * kind.itemsize != raw.size:
        raise BadInput(f"{where} is {dtype} {shape}, its data has {raw.size} bytes")
    return raw.view(kind.newbyteorder("<")).astype(kind, copy=False).reshape(shape)


def _read_quant(table: Table | None, shape: tuple[int, ...], where: str) -> Quant | None:
    scales = None if table is None else table.vector(QuantSlot.SCALE, "float32")
    if table is None or scales is None or not scales.size:
        return None
    if table.number(QuantSlot.DETAILS_TYPE, "B"):
        raise UnsupportedModel(f"{where} has a custom quantization")
    zeros = table.integers(QuantSlot.ZERO_POINT, "int64") or (0,)
    if len(zeros) not in (1, scales.size):
        raise BadInput(f"{where}: {len(zeros)} zero points for {scales.size} scales")
    axis = table.number(QuantSlot.DIMENSION, "i")
    if len(shape) == 1:
        axis = 0  # published models carry the dimension of the weights on their biases
    if len(zeros) == 1:
        zeros *= int(scales.size)
    return Quant(tuple(scales.tolist()), zeros, None if scales.size == 1 else axis)


def _check_static(table: Table, tensor: Tensor) -> None:
    signature = table.integers(TensorSlot.SHAPE_SIGNATURE) or ()
    if any(d < 0 for d in (*signature[1:], *tensor.shape)):
        raise UnsupportedModel(f"graph input {quoted(tensor.name)} has no fixed size: {signature}")


def _read_nodes(operators: Sequence[Table], codes: Sequence[str], tensors: list[Tensor],
                faults: Faults) -> tuple[list[Node], list[int]]:
    """Operators as nodes, and what those with kept faults would have made; operators that depend on
    constants only become data in `tensors`."""
    nodes, unmade, folded = [], list[int](), 0
    for place, table in enumerate(operators):
        code = table.number(OperatorSlot.OPCODE_INDEX, "I")
        if code >= len(codes):
            raise BadInput(f"layer {place} has operator code {code} of {len(codes)}")
        ins = table.integers(OperatorSlot.INPUTS) or ()
        outs = table.integers(OperatorSlot.OUTPUTS) or ()
        where = f"layer {place} ({codes[code]})"
        for t in (*ins, *outs):
            if not -1 <= t < len(tensors):
                raise BadInput(f"{where} names tensor {t} of {len(tensors)}")
        if not outs or -1 in outs:
            raise BadInput(f"{where} has no output")
        where = f"layer {place} ({codes[code]} {quoted(tensors[outs[0]].name)})"
        made, known = None, len(faults.found)
        with faults.of_layer():
            try:
                made = _read_node(table, codes[code], ins, outs, tensors)
            except BadInput as error:
                raise type(error)(f"{where}: {error}") from None
        if len(faults.found) > known:
            unmade += outs
            continue
        if made is not None:
            nodes += made
            continue
        folded += _bytes_of(tensors[outs[0]])
        if folded > _MOST_FOLDED:
            raise UnsupportedModel(f"{where}: more than {_MOST_FOLDED} bytes of computed constants")
    return nodes, unmade


def _read_node(table: Table, code: str, ins: tuple[int, ...], outs: tuple[int, ...],
               tensors: list[Tensor]) -> list[Node] | None:
    """The nodes of one operator; None where it became data in `tensors`."""
    custom = table.vector(OperatorSlot.CUSTOM_OPTIONS, "uint8")
    layer = Layer(code, _read_options(table, code),
                  tuple(tensors[t] if t >= 0 else None for t in ins),
                  tuple(tensors[t] for t in outs), b"" if custom is None else custom.tobytes())
    value = fold_layer(layer)
    if value is not None:
        tensors[outs[0]] = replace(tensors[outs[0]], shape=value.shape, dtype=value.dtype.name,
                                   data=value)
        return None
    return [Node(one.op, layer.outputs[one.outputs[0]].name,
                 tuple(ins[i] if i >= 0 else -1 for i in one.inputs),
                 tuple(outs[i] for i in one.outputs), one.attrs) for one in read_layer(layer)]


def _read_options(table: Table, code: str) -> dict[str, Any]:
    spec = OPTIONS.get(code)
    if spec is None:
        return {}
    kind = table.number(OperatorSlot.OPTIONS_TYPE, "B")
    if kind not in (0, spec.kind):
        raise BadInput(f"it has options of type {kind}, expected {spec.kind}")
    found = table.table(OperatorSlot.OPTIONS) if kind else None
    if found is None:
        return {name: default for name, _, default in spec.fields}
    return {name: found.real(slot, default) if kind_code == "f"
            else found.number(slot, kind_code, int(default))
            for slot, (name, kind_code, default) in enumerate(spec.fields)}
