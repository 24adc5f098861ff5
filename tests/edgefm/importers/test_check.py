# SPDX-License-Identifier: Apache-2.0
"""Rules that a graph from any importer must keep, each broken once."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.check import check_graph
from edgefm.importers.rules import quoted
from edgefm.network.graph import Graph, Node, Quant, Tensor

QUANT = Quant((0.5,), (0,))
WINDOW = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "activation": None}
CONV = {"stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0)), "activation": None}
SAMPLING = {"align_corners": False, "half_pixel_centers": False}
IMAGE, HALF = (1, 4, 4, 2), (1, 2, 2, 2)


def one(op: str, shapes: tuple[tuple[int, ...], ...], out: tuple[int, ...], attrs: Any,
        dtypes: tuple[str, ...] = (), quant: Quant = QUANT, constants: int = 0) -> Graph:
    """One node; the last `constants` inputs are constants, input i has type dtypes[i] or int8."""
    names = [f"x{i}" for i in range(len(shapes))]
    types = (*dtypes, *["int8"] * (len(shapes) + 1 - len(dtypes)))
    tensors = [Tensor(n, s, d, QUANT if d in ("int8", "uint8") else None)
               for n, s, d in zip(names, shapes, types, strict=False)]
    for i in range(len(shapes) - constants, len(shapes)):
        tensors[i] = replace(tensors[i], data=np.ones(shapes[i], types[i]))
    tensors.append(Tensor("y", out, types[-1], quant if types[-1] in ("int8", "uint8") else None))
    count = len(shapes)
    return Graph("net", tuple(tensors), (Node(op, "y", tuple(range(count)), (count,), attrs),),
                 tuple(range(count - constants)), (count,))


SOUND = {
    "conv2d": one("conv2d", (IMAGE, (3, 3, 3, 2)), (1, 2, 2, 3), CONV, constants=1),
    "depthwise": one("depthwise_conv2d", (IMAGE, (1, 3, 3, 4)), (1, 2, 2, 4),
                     CONV | {"multiplier": 2}, constants=1),
    "max_pool": one("max_pool", (IMAGE,), HALF, WINDOW),
    "concat": one("concat", (IMAGE, IMAGE), (1, 4, 8, 2), {"axis": 2}),
    "resize": one("resize_bilinear", (IMAGE,), HALF, SAMPLING),
    "relu": one("relu", ((1, 8),), (1, 8), {}),
    "hard_swish": one("hard_swish", (IMAGE,), IMAGE, {}, quant=Quant((0.51 / 128,), (0,))),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_graphs_pass_unchanged(name: str) -> None:
    assert check_graph(SOUND[name]).tensors == SOUND[name].tensors


@pytest.mark.parametrize(("graph", "message"), [
    (one("max_pool", (IMAGE,), HALF, WINDOW, quant=Quant((0.25,), (0,))), "differ in scale"),
    (one("max_pool", (IMAGE,), HALF, WINDOW | {"stride": (0, 2)}), "must be at least 1"),
    (one("max_pool", (IMAGE,), HALF, WINDOW | {"kernel": (5, 5)}), "does not fit 4x4"),
    (one("max_pool", (IMAGE,), HALF, WINDOW | {"padding": ((2, 0), (0, 0))}), "does not suit"),
    (one("max_pool", ((1, 8),), HALF, WINDOW), r"expected \[1,H,W,C\]"),
    (one("conv2d", (IMAGE, (3, 3, 3, 1)), (1, 2, 2, 3), CONV, constants=1),
     "weights of 1 channels on an input of 2"),
    (one("conv2d", (IMAGE, (1, 3, 3, 2)), (1, 2, 2, 1), CONV), "its weights are not constant"),
    (one("conv2d", (IMAGE, (3, 3, 3)), (1, 2, 2, 3), CONV, constants=1), r"\[O,kh,kw,I\]"),
    (one("depthwise_conv2d", (IMAGE, (1, 3, 3, 3)), (1, 2, 2, 3), CONV | {"multiplier": 1},
         constants=1), "3 filters for 2 channels times 1"),
    (one("concat", (IMAGE, HALF), IMAGE, {"axis": 3}), "cannot be joined along 3"),
    (one("concat", (IMAGE, IMAGE), IMAGE, {"axis": 4}), "axis 4 of a shape"),
    (one("concat", (IMAGE, IMAGE), (1, 4, 4, 4), {"axis": 3}, constants=1), "'x1' is constant"),
    (one("concat", (IMAGE, IMAGE), (1, 4, 4, 4), {"axis": 3}, ("int8", "uint8")), "uint8 with"),
    (one("add", (IMAGE, (1, 3, 4, 2)), IMAGE, {"activation": None}), "do not fit"),
    (one("add", (IMAGE, IMAGE), IMAGE, {"activation": None}, ("int8", "uint8")), "int8 with uint8"),
    (one("add", (IMAGE, IMAGE), IMAGE, {"activation": None}, constants=2), "it has no input"),
    (one("mean", (IMAGE,), (1, 2), {"axes": (1, 1), "keep_dims": False}), r"axes \(1, 1\)"),
    (one("softmax", ((1, 8),), (1, 8), {"beta": float("nan")}), "beta is nan"),
    (one("hard_swish", (IMAGE,), IMAGE, {}, quant=Quant((0.5 / 128,), (0,))),
     "output scale 0.00390625 for an input scale 0.5, expected more than 0.0078125 of it"),
    (one("leaky_relu", (IMAGE,), IMAGE, {"alpha": float("inf")}),
     "alpha is inf, expected a finite number"),
    (one("quantize", (IMAGE,), IMAGE, {}, ("int8", "float32")), "int8 -> float32"),
    (one("dequantize", (IMAGE,), IMAGE, {}, ("int8", "int8")), "int8 -> int8"),
    (one("reshape", (IMAGE,), (1, 33), {}), r"cannot become \(1, 33\)"),
    (one("pad", (IMAGE,), IMAGE, {"padding": ((0, 0),)}), "for a shape"),
    (one("pad", (IMAGE,), IMAGE, {"padding": ((0, -1),) * 4}), "is out of range"),
    (one("transpose", (IMAGE,), IMAGE, {"perm": (0, 1, 1, 3)}), "permutation"),
    (one("resize_nearest", (IMAGE,), HALF, {"align_corners": True, "half_pixel_centers": True}),
     "align_corners excludes"),
    (one("resize_nearest", (IMAGE,), (4, 2), SAMPLING), r"output of shape \(4, 2\)"),
    (one("argmax", (IMAGE,), (1, 4, 4), {"axis": 3}), "int8 -> int8"),
    (one("relu", ((1, 2, 2, 2, 2),), (1, 2, 2, 2, 2), {}), "not a batch of one image"),
    (one("brew", (IMAGE,), IMAGE, {}), "edgefm has no such operator"),
])
def test_broken_rule_is_named(graph: Graph, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_graph(graph)


def test_constants_must_be_finite_and_of_their_own_type() -> None:
    net = one("add", (IMAGE, IMAGE), IMAGE, {"activation": None}, ("float32",) * 3, constants=1)
    for data, message in ((np.full(IMAGE, np.nan, "float32"), "not finite"),
                          (np.zeros(IMAGE), "its data float64")):
        wrong = replace(net.tensors[1], data=data)
        with pytest.raises(BadInput, match=message):
            check_graph(replace(net, tensors=(net.tensors[0], wrong, net.tensors[2])))


def test_what_cannot_run_differs_from_what_is_wrong() -> None:
    with pytest.raises(UnsupportedModel):
        check_graph(one("brew", (IMAGE,), IMAGE, {}))
    with pytest.raises(BadInput) as caught:
        check_graph(one("reshape", (IMAGE,), (1, 33), {}))
    assert caught.type is BadInput


def test_long_and_strange_names_stay_on_one_line() -> None:
    assert quoted("a\nb") == "'a\\nb'"
    assert len(quoted("x" * 500)) < 80
