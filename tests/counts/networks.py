# SPDX-License-Identifier: Apache-2.0
"""The networks that are counted: made up here, the same on every machine, and published ones.

Those made up have the shapes of what people deploy, on small pictures, with random weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgefm.compiler.load import Model, load_model
from edgefm.compiler.options import CompileOptions
from edgefm.network.graph import Graph
from tests.support.networks import Network

ROOT = Path(__file__).resolve().parents[2]
KIB = 1024


@dataclass(frozen=True, slots=True)
class Counted:
    """A network and the arenas (bytes) that it is compiled for; `file` is that of a published one,
    `long` where it takes long."""

    name: str
    arenas: tuple[int, ...]
    made: Callable[[], Graph] | None = None
    file: str = ""
    long: bool = False

    def load(self) -> Model:
        """The network as the compiler takes it. Raises BadInput where its file is missing."""
        if self.made is None:
            return load_model(data_folder() / self.file, CompileOptions())
        graph = self.made()
        return Model(graph, graph, None, "")


def data_folder() -> Path:
    """The folder of published models, which may not be there."""
    named = os.environ.get("EDGEFM_DATA")
    return (Path(named) if named else ROOT.parent / "shared" / "data") / "models"


def _inverted_residuals() -> Graph:
    """As MobileNetV2: blocks of 1x1, depthwise and 1x1 with sums, a head, a classifier."""
    net = Network(1, name="inverted residuals")
    x = net.conv(net.input(1, 64, 64, 3), 16, stride=2, activation="relu6")
    for channels, stride, repeats in ((8, 1, 1), (16, 2, 2), (24, 2, 2), (40, 2, 2)):
        for repeat in range(repeats):
            before = x
            wide = net.conv(x, 6 * net.shape(x)[3], 1, activation="relu6")
            wide = net.depthwise(wide, stride=1 if repeat else stride, activation="relu6")
            x = net.conv(wide, channels, 1)
            x = net.add(x, before) if repeat else x
    x = net.mean(net.conv(x, 160, 1, activation="relu6"))
    return net.graph(net.softmax(net.dense(x, 100)))


def _residuals() -> Graph:
    """As a ResNet: 3x3 convolutions, sums, an average pool."""
    net = Network(2, name="residuals")
    x = net.conv(net.input(1, 32, 32, 3), 16, activation="relu")
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = net.conv(net.conv(x, channels, stride=stride, activation="relu"), channels)
        x = x if stride == 1 else net.conv(x, channels, 1, stride)
        x = net.add(x, y, activation="relu")
    x = net.pool(x, "average_pool", 8, 8)
    return net.graph(net.softmax(net.dense(net.flat(x), 10)))


def _separable() -> Graph:
    """As MobileNetV1 and spotters of keywords: one channel enters, depthwise layers of both
    strides follow, on an odd number of pixels."""
    net = Network(3, name="separable")
    x = net.depthwise(net.input(1, 49, 49, 1), 8, stride=2, activation="relu6")
    for channels, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (63, 1)):
        x = net.conv(net.depthwise(x, stride=stride, activation="relu6"), channels, 1,
                     activation="relu6")
    return net.graph(net.softmax(net.dense(net.flat(net.pool(x, "average_pool", 7, 7)), 12)))


def _dense() -> Graph:
    """As an autoencoder: fully connected layers alone."""
    net = Network(4, name="dense")
    x = net.input(1, 640)
    for width in (128, 128, 8, 128, 640):
        x = net.dense(x, width)
    return net.graph(x)


def _weight_zeros() -> Graph:
    """uint8, whose weights have a zero point; also windows of 5x5, dilation and a max pool."""
    net = Network(5, "uint8", "weight zeros")
    x = net.conv(net.input(1, 40, 40, 3), 16, stride=2, activation="relu6")
    x = net.depthwise(x, kernel=5, activation="relu6")
    x = net.pool(net.conv(x, 24, dilation=2, activation="relu"))
    return net.graph(net.softmax(net.dense(net.mean(net.conv(x, 48, 1)), 20)))


MADE_UP = (Counted("inverted residuals", (160 * KIB, 20 * KIB), _inverted_residuals),
           Counted("residuals", (160 * KIB,), _residuals),
           Counted("separable", (160 * KIB, 3 * KIB), _separable),
           Counted("dense", (160 * KIB,), _dense),
           Counted("weight zeros", (160 * KIB,), _weight_zeros))
MOBILENET_V2 = Counted("mobilenet_v2", (160 * KIB, 64 * KIB),
                       file="tf2_mobilenet_v2_1.0_224_ptq.tflite", long=True)
PUBLISHED = (*(Counted(name, (160 * KIB,), file=f"{file}.tflite") for name, file in (
    ("vww_96", "vww_96_int8"), ("person_detect", "person_detect"),
    ("resnet8", "pretrainedResnet_quant"), ("kws", "kws_ref_model"), ("ad01", "ad01_int8"))),
    MOBILENET_V2)


def there() -> Iterator[Counted]:
    """All networks whose file, if any, this machine has."""
    yield from (one for one in (*MADE_UP, *PUBLISHED)
                if not one.file or (data_folder() / one.file).is_file())
