# SPDX-License-Identifier: Apache-2.0
"""ONNX files made for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.network.graph import Array

Node = tuple[str, Sequence[str], Sequence[str], dict[str, Any]]
RNG = np.random.default_rng(11)
IMAGE = (1, 4, 9, 8)


def floats(*shape: int) -> Array:
    """Random float32 constants."""
    return RNG.standard_normal(shape).astype(np.float32)


def whole(*values: int) -> Array:
    """An int64 constant."""
    return np.array(values, np.int64)


def model(nodes: Sequence[Node], constants: dict[str, Array], shape: Sequence[int | str] = IMAGE,
          opset: int = 13, outputs: Sequence[str] = ("y",)) -> bytes:
    """An ONNX file with the input x."""
    import onnx
    from onnx import helper, numpy_helper
    made = helper.make_graph(
        [helper.make_node(op, list(ins), list(outs), name=f"the_{op}", **attrs)
         for op, ins, outs, attrs in nodes], "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["any"]) for name in outputs],
        [numpy_helper.from_array(data, name) for name, data in constants.items()])
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)],
                                   ir_version=8).SerializeToString())


def onnx_file(path: Path, inputs: tuple[str, ...], shape: tuple[int, ...] = (1, 3, 8, 8)) -> Path:
    """A float network of a graph that torch calls main_graph: the sum of its inputs."""
    helper, onnx = pytest.importorskip("onnx.helper"), pytest.importorskip("onnx")
    made = helper.make_graph(
        [helper.make_node("Add", [inputs[0], inputs[-1]], ["y"])], "main_graph",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)])
    path.write_bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)],
                                       ir_version=8).SerializeToString())
    return path
