# SPDX-License-Identifier: Apache-2.0
"""A small classifier of pictures, as a file and as a package."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from networks import Network

import edgefm
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_model
from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Graph, Quant, Tensor


def classifier(dtype: str = "int8") -> Graph:
    """[1, 16, 20, 3] to [1, 4]."""
    net = Network(5, dtype, "classifier")
    x = net.input(1, 16, 20, 3)
    zero = {"int8": 3, "uint8": 131}[dtype]
    net.tensors[x] = Tensor("pixels", (1, 16, 20, 3), dtype, Quant((0.25,), (zero,)))
    x = net.conv(x, 8, stride=2, activation="relu6")
    return net.graph(net.softmax(net.dense(net.mean(net.conv(x, 8)), 4)))


def twin() -> Graph:
    """Two inputs [1, 8, 8, 4], two outputs."""
    net = Network(6, name="twin")
    a, b = net.input(1, 8, 8, 4), net.input(1, 8, 8, 4)
    both = net.add(a, b)
    return net.graph(net.conv(both, 2), net.mean(both))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "net.tflite"
    path.write_bytes(export_tflite(classifier()))
    return path


@pytest.fixture(scope="session")
def compiled(model: Path) -> Compiled:
    return compile_model(model, CompileOptions(fast=4096))


@pytest.fixture(scope="session")
def package(model: Path, compiled: Compiled) -> Path:
    path = model.with_name("net.efm")
    path.write_bytes(compiled.package)
    return path


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("api") / "twin.tflite"
    path.write_bytes(export_tflite(twin()))
    return compile_model(path, CompileOptions()).package


@pytest.fixture
def net(package: Path) -> Iterator[edgefm.OpenPackage]:
    with edgefm.open(package) as opened:
        yield opened


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (1, 16, 20, 3), np.int8)
