# SPDX-License-Identifier: Apache-2.0
"""A `Graph` to the bytes of a .tflite file, so that TFLite judges what we quantized.

Nothing is changed on the way: scales, zero points and constants are written as they are, tensor i
of the graph is tensor i of the file. A tensor that no node reads or makes keeps its place without
its data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers

from edgefm.exporters.tflite_operators import write_operators
from edgefm.exporters.tflite_sink import TfliteOperator
from edgefm.importers.check import check_graph
from edgefm.importers.tflite_schema import (
    CUSTOM,
    DTYPES,
    IDENTIFIER,
    LAST_SMALL_CODE,
    OPERATORS,
    OPTIONS,
    VERSION,
    BufferSlot,
    CodeSlot,
    ModelSlot,
    OperatorSlot,
    QuantSlot,
    SubgraphSlot,
    TensorSlot,
)
from edgefm.network.graph import Graph, Quant, Tensor

_DATA_ALIGNMENT: Final = 16  # TFLite reads constants in place
_PREPEND: Final[Mapping[str, str]] = MappingProxyType({
    "b": "PrependInt8Slot", "B": "PrependUint8Slot", "?": "PrependBoolSlot",
    "i": "PrependInt32Slot", "I": "PrependUint32Slot", "f": "PrependFloat32Slot",
    "o": "PrependUOffsetTRelativeSlot"})

_Field = tuple[int, str, Any, float]  # slot, code ("o": offset), value, the schema's default


def export_tflite(graph: Graph) -> bytes:
    """The .tflite file of a quantized or float graph.

    BadInput or UnsupportedModel when the graph is not sound or a node cannot be expressed.
    """
    graph = check_graph(graph)
    return pack(*write_operators(graph), graph.inputs, graph.outputs)


def pack(tensors: Sequence[Tensor], operators: Sequence[TfliteOperator], inputs: Sequence[int],
         outputs: Sequence[int]) -> bytes:
    """The file with exactly these tensors and operators, whatever they are."""
    used = {*inputs, *outputs}
    used.update(t for op in operators for t in (*op.inputs, *op.outputs))
    builder = flatbuffers.Builder(
        4096 + sum(t.data.nbytes + 512 for t in tensors if t.data is not None))
    buffers, places, rows = [_table(builder)], [], []
    for i, tensor in enumerate(tensors):
        data = tensor.data if i in used else None
        places.append(len(buffers) if data is not None else 0)
        if data is not None:
            buffers.append(_buffer(builder, data.astype(data.dtype.newbyteorder("<")).tobytes()))
    for i, (tensor, place) in enumerate(zip(tensors, places, strict=True)):
        rows.append(_tensor(builder, tensor, place, i in used))
    codes = sorted({(op.code, op.version) for op in operators})
    layers = [_operator(builder, op, codes.index((op.code, op.version))) for op in operators]
    subgraph = _table(
        builder,
        (SubgraphSlot.TENSORS, "o", _offsets(builder, rows), 0),
        (SubgraphSlot.INPUTS, "o", _numbers(builder, inputs, "<i4"), 0),
        (SubgraphSlot.OUTPUTS, "o", _numbers(builder, outputs, "<i4"), 0),
        (SubgraphSlot.OPERATORS, "o", _offsets(builder, layers), 0),
        (SubgraphSlot.NAME, "o", builder.CreateString("main"), 0))
    model = _table(
        builder,
        (ModelSlot.VERSION, "I", VERSION, 0),
        (ModelSlot.OPERATOR_CODES, "o", _offsets(builder, [_code(builder, *c) for c in codes]), 0),
        (ModelSlot.SUBGRAPHS, "o", _offsets(builder, [subgraph]), 0),
        (ModelSlot.DESCRIPTION, "o", builder.CreateString("written by edgefm"), 0),
        (ModelSlot.BUFFERS, "o", _offsets(builder, buffers), 0))
    builder.Finish(model, file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder: Any, tensor: Tensor, buffer: int, used: bool) -> int:
    known = used or tensor.dtype in DTYPES
    quant = _quant(builder, tensor.quant) if used and tensor.quant is not None else 0
    return _table(
        builder,
        (TensorSlot.SHAPE, "o", _numbers(builder, tensor.shape, "<i4"), 0),
        (TensorSlot.TYPE, "b", DTYPES.index(tensor.dtype) if known else 0, 0),
        (TensorSlot.BUFFER, "I", buffer, 0),
        (TensorSlot.NAME, "o", builder.CreateString(tensor.name), 0),
        (TensorSlot.QUANTIZATION, "o", quant, 0))


def _quant(builder: Any, quant: Quant) -> int:
    return _table(
        builder,
        (QuantSlot.SCALE, "o", _numbers(builder, quant.scale, "<f4"), 0),
        (QuantSlot.ZERO_POINT, "o", _numbers(builder, quant.zero_point, "<i8"), 0),
        (QuantSlot.DIMENSION, "i", quant.axis or 0, 0))


def _buffer(builder: Any, data: bytes) -> int:
    builder.Prep(_DATA_ALIGNMENT, len(data))
    return _table(builder, (BufferSlot.DATA, "o", builder.CreateByteVector(data), 0))


def _code(builder: Any, name: str, version: int) -> int:
    code = OPERATORS.index(name) if name in OPERATORS else CUSTOM
    custom = builder.CreateString(name) if code == CUSTOM else 0
    return _table(
        builder,
        (CodeSlot.SMALL_CODE, "b", min(code, LAST_SMALL_CODE), 0),
        (CodeSlot.CUSTOM_CODE, "o", custom, 0),
        (CodeSlot.VERSION, "i", version, 1),
        (CodeSlot.CODE, "i", code, 0))


def _operator(builder: Any, op: TfliteOperator, code: int) -> int:
    kind, options, custom = 0, 0, 0
    if op.code in OPTIONS:
        spec = OPTIONS[op.code]
        kind, options = spec.kind, _table(builder, *(
            (slot, letter, op.options.get(name, default), default)
            for slot, (name, letter, default) in enumerate(spec.fields)))
    if op.custom is not None:
        custom = builder.CreateByteVector(bytes(flexbuffers.Dumps(dict(op.custom))))
    return _table(
        builder,
        (OperatorSlot.OPCODE_INDEX, "I", code, 0),
        (OperatorSlot.INPUTS, "o", _numbers(builder, op.inputs, "<i4"), 0),
        (OperatorSlot.OUTPUTS, "o", _numbers(builder, op.outputs, "<i4"), 0),
        (OperatorSlot.OPTIONS_TYPE, "B", kind, 0),
        (OperatorSlot.OPTIONS, "o", options, 0),
        (OperatorSlot.CUSTOM_OPTIONS, "o", custom, 0))


def _table(builder: Any, *fields: _Field) -> int:
    builder.StartObject(max((slot for slot, *_ in fields), default=-1) + 1)
    for slot, code, value, default in fields:
        getattr(builder, _PREPEND[code])(slot, value, default)
    return int(builder.EndObject())


def _offsets(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _numbers(builder: Any, values: Sequence[float], dtype: str) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, dtype)))
