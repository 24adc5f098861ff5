# SPDX-License-Identifier: Apache-2.0
"""Grouped and transposed convolutions become ordinary ones and keep the reference's bits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.exporters.tflite import pack
from edgefm.exporters.tflite_sink import TfliteOperator
from edgefm.importers.tflite import parse_tflite
from edgefm.litert.reference import Reference
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph, Quant, Tensor
from edgefm.network.program import OpKind
from edgefm.ops import run_graph

TRIES = settings(max_examples=25, deadline=None, derandomize=True,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = st.tuples(*[st.integers(1, 6)] * 2)


def weights(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Tensor:
    """int8 with a scale per channel, uint8 with a zero point, or float32."""
    if dtype == "float32":
        return Tensor("w", shape, dtype, None, rng.normal(0, 1, shape).astype(np.float32))
    if dtype == "uint8":
        data = rng.integers(0, 256, shape).astype(np.uint8)
        return Tensor("w", shape, dtype, Quant((0.0078125,), (131,)), data)
    scales = tuple(np.linspace(0.002, 0.02, shape[0], dtype=np.float32).tolist())
    return Tensor("w", shape, dtype, Quant(scales, (0,) * shape[0], 0),
                  rng.integers(-127, 128, shape).astype(np.int8))


def bias(rng: np.random.Generator, w: Tensor) -> Tensor:
    kind = "float32" if w.dtype == "float32" else "int32"
    data = rng.integers(-900, 900, w.shape[0]).astype(kind)
    if w.quant is None:
        return Tensor("b", data.shape, kind, None, data)
    quant = Quant(tuple(float(np.float32(0.25) * np.float32(s)) for s in w.quant.scale),
                  (0,) * len(w.quant.scale), 0 if len(w.quant.scale) > 1 else None)
    return Tensor("b", data.shape, kind, quant, data)


def edge(name: str, shape: tuple[int, ...], dtype: str, scale: float = 0.25) -> Tensor:
    zero = {"int8": -9, "uint8": 119}.get(dtype)
    return Tensor(name, shape, dtype, None if zero is None else Quant((scale,), (zero,)))


def values_of(rng: np.random.Generator, x: Tensor) -> Array:
    if x.dtype == "float32":
        return rng.normal(0, 1, x.shape).astype(np.float32)
    info = np.iinfo(x.dtype)
    return rng.integers(info.min, info.max + 1, x.shape).astype(x.dtype)


def agrees(data: bytes, index: int, seed: int) -> Graph:
    """Assert that tensor `index` of the file has the oracle's values; the graph that was read."""
    graph = parse_tflite(data, "net.tflite")
    x = values_of(np.random.default_rng(seed), graph.tensors[graph.inputs[0]])
    made = run_graph(graph, [x])[index]
    with Reference(data) as oracle:
        expected = oracle.outputs([x])[0]
    if made.dtype == np.float32:
        np.testing.assert_allclose(made, expected, 1e-4, 1e-4)
    else:
        np.testing.assert_array_equal(made, expected)
    return graph


@TRIES
@given(size=SIZES, kernel=SIZES, stride=st.tuples(*[st.integers(1, 4)] * 2), same=st.booleans(),
       channels=st.tuples(*[st.integers(1, 4)] * 2), biased=st.booleans(),
       activation=st.integers(0, 3), dtype=st.sampled_from(["int8", "uint8", "float32"]),
       cut=st.integers(0, 3), seed=st.integers(0, 999))
def test_transposed_convolutions_equal_the_oracle(
        need_module: Any, size: Any, kernel: Any, stride: Any, same: bool, channels: Any,
        biased: bool, activation: int, dtype: str, cut: int, seed: int) -> None:
    """SAME and VALID; an output may lack some of the last cells that it could have."""
    need_module("ai_edge_litert")
    rng = np.random.default_rng(seed)
    out = tuple((n - 1) * s + (1 if same else k) for n, k, s in zip(size, kernel, stride,
                                                                    strict=True))
    if same:
        out = tuple(n + min(cut, s - 1) for n, s in zip(out, stride, strict=True))
    w = weights(rng, (channels[1], *kernel, channels[0]), dtype)
    shape = Tensor("s", (4,), "int32", None, np.array((1, *out, channels[1]), np.int32))
    tensors = [shape, w, edge("x", (1, *size, channels[0]), dtype), bias(rng, w),
               edge("y", (1, *out, channels[1]), dtype, 3.0)]
    ins = (0, 1, 2, 3) if biased else (0, 1, 2)
    layer = TfliteOperator("TRANSPOSE_CONV", 3 if biased else 1, ins, (4,), {
        "padding": int(not same), "stride_h": stride[0], "stride_w": stride[1],
        "activation": activation})
    agrees(pack(tensors, [layer], (2,), (4,)), 4, seed)


@TRIES
@given(size=SIZES, groups=st.integers(2, 40), own=st.integers(1, 2), each=st.integers(1, 2),
       stride=st.integers(1, 2),
       dtype=st.sampled_from(["int8", "uint8", "float32"]), seed=st.integers(0, 999))
def test_grouped_convolutions_equal_the_oracle(
        need_module: Any, size: Any, groups: int, own: int, each: int, stride: int, dtype: str,
        seed: int) -> None:
    need_module("ai_edge_litert")
    rng = np.random.default_rng(seed)
    w = weights(rng, (groups * each, 3, 2, own), dtype)
    out = tuple(-(-n // stride) for n in size)
    tensors = [edge("x", (1, *size, groups * own), dtype), w, bias(rng, w),
               edge("y", (1, *out, groups * each), dtype, 3.0)]
    layer = TfliteOperator("CONV_2D", 1, (0, 1, 2), (3,), {"padding": 0, "stride_h": stride,
                                                              "stride_w": stride})
    graph = agrees(pack(tensors, [layer], (0,), (3,)), 3, seed)
    if dtype != "float32":
        program = lower(graph)
        parts = sum(op.kind == OpKind.CONV for op in program.ops)
        assert parts == (0 if own == 1 else max(n for n in range(1, 16) if groups % n == 0))


def test_an_output_that_is_too_large_is_refused() -> None:
    w = weights(np.random.default_rng(0), (2, 3, 3, 4), "int8")
    shape = Tensor("s", (4,), "int32", None, np.array((1, 20, 4, 2), np.int32))
    tensors = [shape, w, edge("x", (1, 4, 4, 4), "int8"), edge("y", (1, 20, 4, 2), "int8")]
    layer = TfliteOperator("TRANSPOSE_CONV", 1, (0, 1, 2), (3,), {
        "padding": 0, "stride_h": 2, "stride_w": 1})
    with pytest.raises(BadInput, match=r"transpose_conv2d 'y': output \(1, 20, 4, 2\) is larger"):
        parse_tflite(pack(tensors, [layer], (2,), (3,)), "net.tflite")


def test_channels_that_are_no_multiple_of_the_weights_are_refused() -> None:
    rng = np.random.default_rng(0)
    w = weights(rng, (4, 1, 1, 3), "int8")
    tensors = [edge("x", (1, 2, 2, 8), "int8"), w, bias(rng, w), edge("y", (1, 2, 2, 4), "int8")]
    layer = TfliteOperator("CONV_2D", 1, (0, 1, 2), (3,), {"stride_h": 1, "stride_w": 1})
    with pytest.raises(BadInput, match="weights of 3 channels on an input of 8"):
        parse_tflite(pack(tensors, [layer], (0,), (3,)), "net.tflite")


def test_a_stride_that_makes_too_many_weights_is_refused() -> None:
    w = weights(np.random.default_rng(0), (2, 3, 3, 4), "int8")
    shape = Tensor("s", (4,), "int32", None, np.array((1, 4, 4, 2), np.int32))
    tensors = [shape, w, edge("x", (1, 4, 4, 4), "int8"), edge("y", (1, 4, 4, 2), "int8")]
    layer = TfliteOperator("TRANSPOSE_CONV", 1, (0, 1, 2), (3,), {
        "padding": 1, "stride_h": 1 << 20, "stride_w": 1 << 20})
    with pytest.raises(UnsupportedModel, match="as ordinary convolutions it has 8796093022208"):
        parse_tflite(pack(tensors, [layer], (2,), (3,)), "net.tflite")
