# SPDX-License-Identifier: Apache-2.0
"""A small real network as a .tflite file, pictures for it, and the command line in process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Graph, Node, Quant, Tensor
from host_tools.boards.build import build
from host_tools.cli import main

Edgefm = Callable[..., Any]


def small_graph() -> Graph:
    """[1, 16, 16, 3] uint8 -> conv -> mean -> fully connected -> softmax over 4 classes."""
    random = np.random.default_rng(7)
    real = Quant((0.05,), (128,))
    tensors = (
        Tensor("pixels", (1, 16, 16, 3), "uint8", real),
        Tensor("w", (8, 3, 3, 3), "uint8", Quant((0.01,), (120,)),
               random.integers(0, 256, (8, 3, 3, 3), np.uint8)),
        Tensor("b", (8,), "int32", Quant((0.0005,), (0,)), np.arange(8, dtype=np.int32)),
        Tensor("features", (1, 8, 8, 8), "uint8", real),
        Tensor("pooled", (1, 8), "uint8", real),
        Tensor("v", (4, 8), "uint8", Quant((0.02,), (130,)),
               random.integers(0, 256, (4, 8), np.uint8)),
        Tensor("c", (4,), "int32", Quant((0.001,), (0,)), np.zeros(4, np.int32)),
        Tensor("logits", (1, 4), "uint8", real),
        Tensor("scores", (1, 4), "uint8", Quant((1 / 256,), (0,))))
    window = {"stride": (2, 2), "dilation": (1, 1), "padding": ((0, 1), (0, 1)),
              "activation": "relu6"}
    nodes = (Node("conv2d", "features", (0, 1, 2), (3,), window),
             Node("mean", "pooled", (3,), (4,), {"axes": (1, 2), "keep_dims": False}),
             Node("fully_connected", "logits", (4, 5, 6), (7,),
                  {"activation": None, "keep_dims": False}),
             Node("softmax", "scores", (7,), (8,), {"beta": 1.0}))
    return Graph("small", tensors, nodes, (0,), (8,))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network as a .tflite file."""
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(export_tflite(small_graph()))
    return path


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures and a labels.csv."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(1)
    lines = ["file,label"]
    for number in range(20):
        pixels = random.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{number % 4}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def edgefm(capfd: pytest.CaptureFixture[str]) -> Edgefm:
    """`edgefm("plan", path)` gives the printed text; a failure fails the test."""

    def call(*arguments: object) -> str:
        status = main([str(argument) for argument in arguments])
        printed, complaint = capfd.readouterr()
        assert status == 0, complaint
        return printed

    return call


@pytest.fixture
def edgefm_json(edgefm: Edgefm) -> Edgefm:
    """The same with --json: the one object on stdout."""

    def call(*arguments: object) -> Any:
        printed = edgefm(*arguments, "--json")
        assert printed.count("\n") == 1
        fields = json.loads(printed)
        assert fields["schema"] == 1
        return fields

    return call


@pytest.fixture
def edgefm_error(capfd: pytest.CaptureFixture[str]) -> Edgefm:
    """The one line of a command that must fail with exit code 2 and print nothing else."""

    def call(*arguments: object) -> str:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = int(str(stop.code))
        printed, complaint = capfd.readouterr()
        assert (status, printed) == (2, ""), printed + complaint
        assert complaint.startswith("edgefm") and complaint.count("\n") == 1, complaint
        return complaint

    return call


@pytest.fixture
def net(model: Path, tmp_path: Path, edgefm: Edgefm) -> Path:
    """The small network compiled."""
    path = tmp_path / "net.efm"
    names = tmp_path / "names.txt"
    names.write_text("ant\nbee\ncat\ndog\n")
    edgefm("compile", model, "-o", path, "--names", names)
    return path


@pytest.fixture
def line(need: Callable[[str], None]) -> str:
    """The sim board's line."""
    need("gcc")
    return f"exec:{build('sim')} --external-bytes 65536"


@pytest.fixture
def package(edgefm: Edgefm, model: Path, tmp_path: Path) -> Path:
    """A small network with external maps."""
    path = tmp_path / "net.efm"
    edgefm("compile", model, "-o", path, "--preprocess", "raw", "--cut", "ops")
    return path
