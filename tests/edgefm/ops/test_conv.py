# SPDX-License-Identifier: Apache-2.0
"""Layers with weights equal the oracle's bits over their geometry and quantization."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.importers.windows import same_padding, window_size
from edgefm.network.graph import Tensor

SEEDS = st.integers(0, 2**16)
SCALES = st.floats(2**-12, 4, width=32)
ACTIVATIONS = st.sampled_from([None, "relu", "relu6", "relu_n1_to_1"])
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
DTYPES = st.sampled_from(["int8", "uint8"])


def _zero(dtype: str, offset: int) -> int:
    """A zero point of the type, from an offset in [-128, 127]."""
    return offset + 128 if dtype == "uint8" else offset


@st.composite
def layers(draw: Any) -> dict[str, Any]:
    """Geometry and quantization of a layer; SAME or VALID."""
    kernel, stride, size = draw(PAIRS), draw(PAIRS), draw(st.tuples(*[st.integers(7, 10)] * 2))
    dilation = draw(PAIRS) if stride == (1, 1) else (1, 1)
    rows = list(zip(size, kernel, stride, dilation, strict=True))
    same = draw(st.booleans())
    padding = tuple(same_padding(*row) if same else (0, 0) for row in rows)
    out = tuple(window_size(*row, pad) for row, pad in zip(rows, padding, strict=True))
    return {"kernel": kernel, "size": size, "out": out, "x": draw(SCALES), "w": draw(SCALES),
            "dtype": draw(DTYPES), "per_channel": draw(st.booleans()), "ratio": draw(
                st.floats(2**-9, 2, width=32)), "zeros": draw(
                st.tuples(*[st.integers(-128, 127)] * 3)), "seed": draw(SEEDS),
            "channels": draw(st.integers(1, 5)), "outputs": draw(st.integers(1, 6)),
            "attrs": {"stride": stride, "dilation": dilation, "padding": padding,
                      "activation": draw(ACTIVATIONS)}}


def _operands(judge: Any, case: dict[str, Any], w_shape: tuple[int, ...], axis: int,
              x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> tuple[list[Tensor], Tensor]:
    """Input, random weights and bias; an output scale that uses the type's range."""
    rng = np.random.default_rng(case["seed"])
    dtype, many = case["dtype"], case["dtype"] == "int8" and case["per_channel"]
    info = np.iinfo(dtype)
    w = rng.integers(info.min, info.max + 1, w_shape).astype(dtype)
    spread = rng.uniform(0.3, 1, w_shape[axis]) if many else np.ones(1)
    scales = (case["w"] * spread).astype(np.float32)
    bias = rng.integers(-20000, 20000, y_shape[-1]).astype(np.int32)
    zeros = [_zero(dtype, z) for z in case["zeros"]]
    fan_in = np.prod(w_shape) / w_shape[axis]
    y_scale = case["x"] * case["w"] * 5000 * np.sqrt(fan_in) * case["ratio"] / 100
    tensors = [judge.tensor(x_shape, dtype, case["x"], zeros[0]),
               judge.tensor(w_shape, dtype, scales, zeros[1] if dtype == "uint8" else 0,
                            axis if many else None, w),
               judge.tensor(bias.shape, "int32", np.float32(case["x"]) * scales, 0,
                            0 if many else None, bias)]
    return tensors, judge.tensor(y_shape, dtype, y_scale, zeros[2])


@given(case=layers())
def test_conv2d_equals_the_oracle(judge: Any, case: dict[str, Any]) -> None:
    channels, outputs = case["channels"], case["outputs"]
    inputs, output = _operands(judge, case, (outputs, *case["kernel"], channels), 0,
                               (1, *case["size"], channels), (1, *case["out"], outputs))
    judge.agrees("conv2d", inputs, [output], case["seed"], **case["attrs"])


@given(case=layers(), multiplier=st.integers(1, 3))
def test_depthwise_conv2d_equals_the_oracle(judge: Any, case: dict[str, Any],
                                            multiplier: int) -> None:
    channels = case["channels"]
    inputs, output = _operands(
        judge, case, (1, *case["kernel"], channels * multiplier), 3,
        (1, *case["size"], channels), (1, *case["out"], channels * multiplier))
    judge.agrees("depthwise_conv2d", inputs, [output], case["seed"], **case["attrs"],
                 multiplier=multiplier)


@given(case=layers())
def test_fully_connected_equals_the_oracle(judge: Any, case: dict[str, Any]) -> None:
    depth, outputs = 5 + case["channels"] * 9, case["outputs"] * 7
    inputs, output = _operands(judge, case, (outputs, depth), 0, (3, depth), (3, outputs))
    judge.agrees("fully_connected", inputs, [output], case["seed"], keep_dims=False,
                 activation=case["attrs"]["activation"])


def test_fully_connected_rounds_a_double_product(judge: Any) -> None:
    """3 times the double nearest to 1/6 is below one half, but its rounded product is not."""
    x = judge.tensor((1, 1), scale=1.0)
    w = judge.tensor((3, 1), scale=1.0, data=np.array([[1], [3], [-3]], np.int8))
    y, = judge.agrees("fully_connected", [x, w], [judge.tensor((1, 3), scale=6.0)],
                      values=[np.array([[1]], np.int8)], keep_dims=False)
    assert y.tolist() == [[0, 1, -1]]


@pytest.mark.parametrize("op", ["conv2d", "depthwise_conv2d"])
def test_float_layers_are_right_to_float_accuracy(judge: Any, op: str) -> None:
    rng = np.random.default_rng(1)
    shape = (6, 3, 3, 4) if op == "conv2d" else (1, 3, 3, 8)
    w = rng.normal(size=shape).astype(np.float32)
    bias = rng.normal(size=shape[0] if op == "conv2d" else 8).astype(np.float32)
    inputs = [judge.tensor((1, 9, 8, 4), "float32"), judge.tensor(shape, "float32", data=w),
              judge.tensor(bias.shape, "float32", data=bias)]
    judge.agrees(op, inputs, [judge.tensor((1, 5, 4, len(bias)), "float32")], tolerance=1e-5,
                 stride=(2, 2), dilation=(1, 1), padding=((1, 1), (0, 1)), multiplier=2,
                 activation="relu6")


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("op", ["conv2d", "depthwise_conv2d", "fully_connected"])
@pytest.mark.parametrize("scales", [(0.1, 0.3), (0.0078431, 0.0231), (0.7, 0.012345)])
def test_large_accumulators_meet_every_rounding_boundary(judge: Any, op: str, dtype: str,
                                                         scales: tuple[float, float]) -> None:
    """Zero weights leave the bias: accumulators around each half step of a factor near 2**-24.

    There one part in 2**24 of the factor, as a float32 product of scales has it, moves bits.
    """
    x_scale, w_scale = (float(np.float32(s)) for s in scales)
    y_scale = float(np.float32(x_scale * w_scale * 2**24 * 0.77))
    boundary = (np.arange(-120, 120) + 0.5) * y_scale / (x_scale * w_scale)
    bias = (boundary[:, None] + np.arange(-60, 61)).astype(np.int32).reshape(-1)
    zero = 128 if dtype == "uint8" else 0
    shape = {"conv2d": (len(bias), 1, 1, 1), "depthwise_conv2d": (1, 1, 1, len(bias)),
             "fully_connected": (len(bias), 1)}[op]
    w = judge.tensor(shape, dtype, w_scale, zero, None, np.full(shape, zero, dtype))
    image = (1, 1) if op == "fully_connected" else (1, 1, 1, 1)
    judge.agrees(op, [judge.tensor(image, dtype, x_scale, zero), w, judge.tensor(
        bias.shape, "int32", x_scale * w_scale, 0, None, bias)],
        [judge.tensor((*image[:-1], len(bias)), dtype, y_scale, zero)], stride=(1, 1),
        dilation=(1, 1), padding=((0, 0), (0, 0)), multiplier=len(bias), keep_dims=False)
