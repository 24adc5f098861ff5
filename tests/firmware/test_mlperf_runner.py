# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's own runner, unmodified, drives boards that run here.

It needs a checkout of github.com/mlcommons/tiny, which MLPERF_TINY_DIR names; docs/MLPERF.md has
the commands that these tests give.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import serial
from pty_line import pty_line

import edgefm
from edgefm.network.graph import Array
from edgefm.package.read import read_info
from edgefm.runtime import Runtime
from host_tools.boards.running import Running
from host_tools.link.device import Device
from host_tools.link.transport import open_transport

FILES = {"vww01": "vww_96_int8", "kws01": "kws_ref_model", "ic01": "pretrainedResnet_quant",
         "ad01": "ad01_int8"}
CLASSES = {"vww01": 2, "kws01": 12, "ic01": 10, "ad01": 2}
SPECTRUM = "benchmark/reference_submissions/anomaly_detection/datasets/dcase01"
WINDOW, STRIDE, WINDOWS = 2560, 512, 3
HUNDREDTHS = 6e-4  # results have three decimals


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of the benchmark's data set, and what the package takes for each of its windows."""

    sent: bytes
    label: int
    arrays: tuple[Array, ...]


@pytest.fixture(scope="module")
def tiny() -> Path:
    """The checkout."""
    named = os.environ.get("MLPERF_TINY_DIR")
    if not named or not (Path(named) / "benchmark/runner/main.py").is_file():
        pytest.skip("needs MLPerf Tiny's runner: MLPERF_TINY_DIR names no checkout of "
                    "github.com/mlcommons/tiny")
    return Path(named)


@pytest.fixture(scope="module")
def models(data_dir: Path, need_module: Callable[[str], None]) -> dict[str, bytes]:
    """The four reference models as packages."""
    need_module("sklearn")
    need_module("yaml")
    return {name: edgefm.compile(data_dir / "models" / f"{file}.tflite", fast="96K").package
            for name, file in FILES.items()}


@pytest.fixture(scope="module")
def board(start: Callable[[str], Running], models: dict[str, bytes]) -> Callable[[str], str]:
    """`board("sim")`: the line of a board that has all four."""
    urls: dict[str, str] = {}

    def find(name: str) -> str:
        if name not in urls:
            urls[name] = start(name).url
            with Device(open_transport(urls[name])) as device:
                for model, package in models.items():
                    device.put(f"{model}.efm", package)
        return urls[name]

    return find


def pixels_and_labels(data_dir: Path, name: str) -> Iterator[tuple[Array, int]]:
    stored = {"vww01": "vww_samples8_u8", "kws01": "kws01_test1000_mfcc_int8",
              "ic01": "cifar10_test2000_jpegrecoded_u8"}[name]
    with np.load(data_dir / "other" / f"{stored}.npz") as data:
        for label in np.unique(data["y"]):  # the runner's AUC wants every class
            yield data["x"][data["y"] == label][0], int(label)


def spectra(tiny: Path) -> Iterator[tuple[Array, int]]:
    """Windows of the one public spectrum; and of it with noise, as an anomaly."""
    (path,) = (tiny / SPECTRUM).glob("*.bin")
    values = np.frombuffer(path.read_bytes(), "<f4")[:(WINDOW + (WINDOWS - 1) * STRIDE) // 4]
    noise = np.random.default_rng(8).normal(0, 15, values.size)
    for label in (0, 1):
        yield (values + label * noise).astype("<f4"), label


def quantized(values: Array, package: bytes) -> Array:
    tensor = read_info(package).inputs[0]
    quotient = values / np.float32(tensor.scale)
    whole = np.sign(quotient) * np.floor(np.abs(quotient) + 0.5) + tensor.zero_point
    return np.clip(whole, -128, 127).astype(np.int8).reshape(tensor.shape)


def samples(name: str, package: bytes, tiny: Path, data_dir: Path) -> Iterator[Sample]:
    if name == "ad01":
        for values, label in spectra(tiny):
            windows = [values[at // 4:(at + WINDOW) // 4]
                       for at in range(0, WINDOWS * STRIDE, STRIDE)]
            yield Sample(values.tobytes(), label, tuple(quantized(w, package) for w in windows))
    else:
        for array, label in pixels_and_labels(data_dir, name):
            taken = array if array.dtype == np.int8 else (array ^ 128).view(np.int8)
            yield Sample(array.tobytes(), label, (taken[None],))


def lay_out(folder: Path, name: str, found: list[Sample]) -> Path:
    """The benchmark's folder of data for one test."""
    (folder / name).mkdir(parents=True)
    with open(folder / name / "y_labels.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        for number, sample in enumerate(found):
            (folder / name / f"{number}.bin").write_bytes(sample.sent)
            extra = [WINDOW, STRIDE] if name == "ad01" else []
            rows.writerow([f"{number}.bin", CLASSES[name], sample.label, *extra])
    return folder


def drive(url: str, model: str, mode: str, tiny: Path, root: Path, data: Path) -> Path:
    """Choose the model, run the runner; the session's folder."""
    runner = tiny / "benchmark/runner"
    script = {"a": "tests_accuracy.yaml", "p": "tests_performance.yaml"}[mode]
    with pty_line(url) as line:
        with serial.Serial(line, 115200, timeout=5) as port:
            port.write(f"model {model}%".encode())
            assert b"m-model-[" + model.encode() in port.read_until(b"m-ready\r\n")
        done = subprocess.run(
            [sys.executable, str(runner / "main.py"), "-d", str(root / "tools/mlperf/devices.yaml"),
             "-t", str(runner / script), "-s", str(data), "-m", mode], cwd=data, text=True,
            env={**os.environ, "PYTHONPATH": str(root / "tools/mlperf"), "EDGEFM_LINE": line},
            capture_output=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (session,) = (data / "sessions").iterdir()
    return session


def expected(name: str, package: bytes, found: list[Sample]) -> list[list[float]]:
    """What each inference answers, from the same package on the host."""
    answers, end = [], read_info(package).outputs[0]
    with Runtime(package) as runtime:
        for sample in found:
            for number, array in enumerate(sample.arrays):
                codes = runtime.run([array]).outputs[0].astype(np.float32).ravel()
                values = (codes - np.float32(end.zero_point)) * np.float32(end.scale)
                if name == "ad01":
                    at = number * STRIDE
                    truth = np.frombuffer(sample.sent[at:at + WINDOW], "<f4")
                    values = np.mean((values - truth).astype(np.float64) ** 2, keepdims=True)
                answers.append([float(value) for value in values])
    return answers


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", ["sim", "qemu-an386"])
def test_the_runner_measures_the_accuracy_of_the_host(
        board, models, tiny, root, data_dir, tmp_path, where, name):
    found = list(samples(name, models[name], tiny, data_dir))
    session = drive(board(where), name, "a", tiny, root, lay_out(tmp_path, name, found))
    answers = [entry["infer"]["results"] for entry in json.loads((session / "results.json"
                                                                  ).read_text("utf-8"))]
    right = expected(name, models[name], found)
    assert len(answers) == len(right)
    for answer, host in zip(answers, right, strict=True):
        assert answer == pytest.approx(host, abs=HUNDREDTHS, rel=1e-5)
    told = (session / "results.txt").read_text("utf-8")
    assert "Top 1% = " in told and "AUC = " in told
    if name != "ad01":
        best = sum(int(np.argmax(host)) == sample.label
                   for host, sample in zip(right, found, strict=True))
        assert f"Top 1% = {100 * best / len(found):2.1f}" in told


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", ["sim", "qemu-an386"])
def test_the_runner_measures_the_performance(board, models, tiny, root, data_dir, tmp_path, where,
                                             name):
    """Five windows of the benchmark's own script; under emulation of instructions, as told."""
    found = [*samples(name, models[name], tiny, data_dir)] * 5
    session = drive(board(where), name, "p", tiny, root, lay_out(tmp_path, name, found))
    entries = [entry["infer"] for entry in json.loads((session / "results.json").read_text("utf-8"))
               if "infer" in entry]
    times = {"ad01": 1500, "kws01": 70}.get(name, 20)
    assert [entry["iterations"] for entry in entries] == [times] * 5
    assert all(entry["elapsed_time"] > 0 for entry in entries)
    told = (session / "results.txt").read_text("utf-8")
    assert told.count("Throughput: ") == 5
    if where != "sim":  # a run of the same input takes the same instructions, to a few for the lap
        per_run = [entry["elapsed_time"] // times for entry in entries]
        assert max(per_run) - min(per_run) <= max(per_run) // 50
