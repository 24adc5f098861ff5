# SPDX-License-Identifier: Apache-2.0
"""A legacy network of uint8 becomes one of int8 that says the same."""

import numpy as np
import pytest
from networks import Network

from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Graph
from edgefm.rate_distortion.divergence import divergences, package_of, scores
from edgefm.rate_distortion.weights.signed import signed
from edgefm.rate_distortion.weights.statistics import adjustable
from edgefm.runtime import Runtime


@pytest.fixture(scope="module")
def legacy() -> Graph:
    net = Network(3, "uint8", name="legacy")
    x = net.conv(net.input(1, 12, 12, 3), 8)
    x = net.add(net.conv(net.depthwise(x), 8, kernel=1), x)
    return net.graph(net.softmax(net.dense(net.mean(x), 5)))


def test_inputs_and_outputs_stay_and_all_between_is_int8(legacy: Graph) -> None:
    made = signed(legacy)
    for before, after in ((legacy.inputs, made.inputs), (legacy.outputs, made.outputs)):
        assert [legacy.tensors[t] for t in before] == [made.tensors[t] for t in after]
    assert len(adjustable(made)) == 4 and not adjustable(legacy)
    ends = {*made.inputs, *made.outputs}
    assert all(tensor.dtype != "uint8" for t, tensor in enumerate(made.tensors) if t not in ends)
    assert len({tensor.name for tensor in made.tensors}) == len(made.tensors)
    export_tflite(made)


def test_it_says_nearly_the_same(legacy: Graph) -> None:
    random = np.random.default_rng(4)
    inputs = [random.integers(0, 256, (1, 12, 12, 3)).astype(np.uint8) for _ in range(6)]
    made = signed(legacy)
    lost = divergences(scores(legacy, inputs), scores(made, inputs))
    assert lost.mean() < 0.01
    with Runtime(package_of(made)) as runtime:
        assert runtime.run([inputs[0]]).outputs[0].dtype == np.uint8


def test_a_network_of_int8_is_left_alone(classifier: Graph) -> None:
    assert signed(classifier) is classifier
