# SPDX-License-Identifier: Apache-2.0
"""8-bit weights beside a float map are the real weights that they stand for."""

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.exporters.tflite import pack
from edgefm.exporters.tflite_operators import write_operators
from edgefm.importers.tflite import parse_tflite
from edgefm.network.graph import Graph, Node, Quant, Tensor

STEPS = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)


def hybrid(quant: Quant) -> bytes:
    tensors = (Tensor("x", (1, 4), "float32"), Tensor("w", (3, 4), "int8", quant, STEPS),
               Tensor("y", (1, 3), "float32"))
    node = Node("fully_connected", "y", (0, 1, -1), (2,), {"activation": None, "keep_dims": False})
    graph = Graph("net", tensors, (node,), (0,), (2,))
    return pack(*write_operators(graph), graph.inputs, graph.outputs)


@pytest.mark.parametrize("quant", [Quant((0.5,), (0,)), Quant((0.5, 0.25, 2.0), (0,) * 3, 0)])
def test_weights_of_a_hybrid_file_are_real(quant: Quant) -> None:
    graph = parse_tflite(hybrid(quant), "net.tflite")
    weights = graph.tensors[graph.nodes[0].inputs[1]]
    scale = np.array(quant.scale)[:, None]
    assert graph.is_float() and weights.quant is None
    np.testing.assert_array_equal(weights.data, (STEPS * scale).astype(np.float32))


def test_scales_that_do_not_suit_the_weights_are_one_error_line() -> None:
    with pytest.raises(BadInput, match="net.tflite"):
        parse_tflite(hybrid(Quant((0.5, 0.25), (0, 0), 0)), "net.tflite")
