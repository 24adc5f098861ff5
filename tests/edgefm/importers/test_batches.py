# SPDX-License-Identifier: Apache-2.0
"""Dilated convolutions that are spelled out in batches become ones with a dilation."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgefm.errors import UnsupportedModel
from edgefm.exporters.tflite import pack
from edgefm.exporters.tflite_sink import TfliteOperator
from edgefm.importers.tflite import parse_tflite
from edgefm.network.graph import Tensor
from tests.edgefm.importers.test_convolutions import agrees, bias, edge, weights

TRIES = settings(max_examples=25, deadline=None, derandomize=True,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])


def ints(name: str, *values: Any) -> Tensor:
    data = np.array(values, np.int32)
    return Tensor(name, data.shape, "int32", None, data)


def spelled_out(size: tuple[int, int], block: tuple[int, int], kernel: tuple[int, int],
                dtype: str, wide: bool, seed: int) -> bytes:
    """Space to batches, a convolution, ReLU, and back; the result is as large as the input, or has
    whole windows only."""
    rng = np.random.default_rng(seed)
    w = weights(rng, (3, *kernel, 2), dtype)
    reach = [(k - 1) * b for k, b in zip(kernel, block, strict=True)]
    pads = [[r // 2, r - r // 2] if wide else [0, 0] for r in reach]
    fills = [-(n + sum(p)) % b for n, p, b in zip(size, pads, block, strict=True)]
    inner = [(n + sum(p) + f) // b for n, p, f, b in zip(size, pads, fills, block, strict=True)]
    kept = [n - k + 1 for n, k in zip(inner, kernel, strict=True)]
    out = [n * b - f for n, b, f in zip(kept, block, fills, strict=True)]
    batches = block[0] * block[1]
    tensors = [edge("x", (1, *size, 2), dtype), ints("block", *block),
               ints("pads", *((a, b + f) for (a, b), f in zip(pads, fills, strict=True))),
               edge("apart", (batches, *inner, 2), dtype), w, bias(rng, w),
               edge("conv", (batches, *kept, 3), dtype, 3.0),
               edge("relu", (batches, *kept, 3), dtype, 3.0),
               ints("crops", *((0, f) for f in fills)), edge("y", (1, *out, 3), dtype, 3.0)]
    layers = [TfliteOperator("SPACE_TO_BATCH_ND", 1, (0, 1, 2), (3,)),
              TfliteOperator("CONV_2D", 1, (3, 4, 5), (6,), {"padding": 1, "stride_h": 1,
                                                             "stride_w": 1}),
              TfliteOperator("RELU", 1, (6,), (7,)),
              TfliteOperator("BATCH_TO_SPACE_ND", 1, (7, 1, 8), (9,))]
    return pack(tensors, layers, (0,), (9,))


@TRIES
@given(size=st.tuples(*[st.integers(7, 12)] * 2), block=st.tuples(*[st.integers(1, 3)] * 2),
       kernel=st.tuples(*[st.integers(1, 3)] * 2), wide=st.booleans(),
       dtype=st.sampled_from(["int8", "float32"]), seed=st.integers(0, 99))
def test_the_folded_convolution_equals_the_oracle(need_module: Any, size: Any, block: Any,
                                                  kernel: Any, wide: bool, dtype: str, seed: int
                                                  ) -> None:
    need_module("ai_edge_litert")
    graph = agrees(spelled_out(size, block, kernel, dtype, wide, seed), 9, seed)
    assert [node.op for node in graph.nodes] == ["conv2d", "relu", "reshape"]
    assert graph.nodes[0].attrs["dilation"] == block


@pytest.mark.parametrize("dilation", [2, 3])
def test_a_dilated_convolution_of_one_dimension_is_folded(need_module: Any, dilation: int) -> None:
    need_module("ai_edge_litert")
    rng, length = np.random.default_rng(1), 10 + -10 % dilation
    w = weights(rng, (3, 1, 3, 2), "int8")
    inner, out = length // dilation, length - 2 * dilation
    kept = inner - 2
    tensors = [edge("x", (1, 10, 2), "int8"), ints("block", dilation),
               ints("pads", (0, length - 10)), edge("apart", (dilation, inner, 2), "int8"),
               ints("wide", dilation, 1, inner, 2), edge("row", (dilation, 1, inner, 2), "int8"),
               w, bias(rng, w), edge("conv", (dilation, 1, kept, 3), "int8", 3.0),
               ints("flat", dilation, kept, 3), edge("flatter", (dilation, kept, 3), "int8", 3.0),
               ints("crops", (0, length - 10)), edge("y", (1, out - length + 10, 3), "int8", 3.0)]
    layers = [TfliteOperator("SPACE_TO_BATCH_ND", 1, (0, 1, 2), (3,)),
              TfliteOperator("RESHAPE", 1, (3, 4), (5,)),
              TfliteOperator("CONV_2D", 1, (5, 6, 7), (8,), {"padding": 1, "stride_h": 1,
                                                             "stride_w": 1}),
              TfliteOperator("RESHAPE", 1, (8, 9), (10,)),
              TfliteOperator("BATCH_TO_SPACE_ND", 1, (10, 1, 11), (12,))]
    graph = agrees(pack(tensors, layers, (0,), (12,)), 12, 0)
    assert [node.op for node in graph.nodes] == ["reshape", "conv2d", "reshape"]


def test_batches_that_do_not_come_back_are_refused() -> None:
    tensors = [edge("x", (1, 4, 4, 2), "int8"), ints("block", 2, 2), ints("pads", (0, 0), (0, 0)),
               edge("y", (4, 2, 2, 2), "int8"), edge("z", (4, 2, 2, 2), "int8")]
    layers = [TfliteOperator("SPACE_TO_BATCH_ND", 1, (0, 1, 2), (3,)),
              TfliteOperator("RELU", 1, (3,), (4,))]
    with pytest.raises(UnsupportedModel, match=r"shape \(4, 2, 2, 2\) is not a batch of one"):
        parse_tflite(pack(tensors, layers, (0,), (4,)), "net.tflite")
