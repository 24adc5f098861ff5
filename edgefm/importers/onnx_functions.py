# SPDX-License-Identifier: Apache-2.0
"""Local functions of an ONNX file put in place of their calls, and nodes put in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgefm.errors import BadInput, UnsupportedModel

if TYPE_CHECKING:
    import onnx

MOST_NODES = 1 << 14
_Key = tuple[str, str]  # domain and name


def inlined(path: object, model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without calls of its own functions; itself where it has none.

    Raises UnsupportedModel for more than `MOST_NODES` nodes, BadInput for functions that call
    themselves or that ONNX cannot put in place.
    """
    if not model.functions:
        return model
    from onnx.inliner import inline_local_functions
    bodies: dict[_Key, onnx.FunctionProto] = {(f.domain, f.name): f for f in model.functions}
    nodes = _size(path, bodies, {}, model.graph.node, ())
    if nodes > MOST_NODES:
        raise UnsupportedModel(f"{path}: {nodes} nodes with those of its functions, expected at "
                               f"most {MOST_NODES}")
    try:
        return inline_local_functions(model)
    except Exception as error:  # whatever ONNX makes of a hostile function
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path}: its functions cannot be inlined: {line[:200]}") from error


def _size(path: object, bodies: Mapping[_Key, onnx.FunctionProto], known: dict[_Key, int],
          nodes: object, inside: tuple[_Key, ...]) -> int:
    """How many nodes there are when every call is replaced."""
    total = 0
    for node in nodes:  # type: ignore[attr-defined]
        key = node.domain, node.op_type
        if key not in bodies:
            total += 1
            continue
        if key in inside or len(inside) > 100:
            raise BadInput(f"{path}: function {node.op_type[:60]!r} calls itself; expected "
                           "functions that end")
        if key not in known:
            known[key] = _size(path, bodies, known, bodies[key].node, (*inside, key))
        total += known[key]
    return total


def in_order(model: onnx.ModelProto) -> None:
    """Put every node behind those that make its inputs, as ONNX prescribes and some tools forget.

    Nodes keep their order otherwise; what waits for itself stays where it is.
    """
    nodes = list(model.graph.node)
    maker = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    if all(maker.get(name, -1) < i for i, node in enumerate(nodes) for name in node.input):
        return
    placed, order = set[int](), list[int]()
    for first in range(len(nodes)):
        ahead = [first]
        while ahead:
            i = ahead[-1]
            waits = [maker[name] for name in nodes[i].input
                     if name in maker and maker[name] not in placed]
            if i not in placed and (not waits or len(ahead) > len(nodes)):
                placed.add(i)
                order.append(i)
            if i in placed:
                ahead.pop()
            else:
                ahead.extend(waits)
    made = [nodes[i] for i in order]
    del model.graph.node[:]
    model.graph.node.extend(made)
