# SPDX-License-Identifier: Apache-2.0
"""The sweep on a small real network: resumed, repeated and killed, it gives one curve."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network
from PIL import Image

from edgefm.compiler.options import CompileOptions
from edgefm.errors import BadInput
from edgefm.evaluate.executors import executor
from edgefm.evaluate.sweep import Curve, Request, sweep
from edgefm.evaluate.sweep.curve_page import markdown, page, svg, ticks
from edgefm.exporters.tflite import export_tflite
from edgefm.images.labels import read_labels

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> Request:
    """A classifier of 16 x 16 pictures into five classes, all operators' maps stored; 40 files."""
    folder = tmp_path_factory.mktemp("sweep")
    net = Network(3, "uint8", "small")
    x = net.conv(net.input(1, 16, 16, 3), 8, activation="relu6")
    x = net.conv(net.pool(x), 8, activation="relu6")
    graph = net.graph(net.softmax(net.dense(net.mean(x), 5)))
    (folder / "small.tflite").write_bytes(export_tflite(graph))
    random = np.random.default_rng(1)
    lines = ["file,label"]
    for number in range(40):
        coarse = random.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(coarse.repeat(4, 0).repeat(4, 1)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{number % 5}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    files = read_labels(folder / "labels.csv", folder)
    options = CompileOptions(calib=folder, cut="ops", fast=16 << 10)
    return Request(folder / "small.tflite", options, files, "classify", 2, (0.002, 0.05))


def text(curve: Curve) -> str:
    return json.dumps(curve.to_json())


@pytest.fixture(scope="module")
def curve(request_: Request, tmp_path_factory: pytest.TempPathFactory) -> Curve:
    with ThreadPoolExecutor(2) as pool:
        return sweep(request_, tmp_path_factory.mktemp("curve"), pool)


def test_points_are_in_order_and_cost_less_and_less(curve: Curve) -> None:
    assert [p.point.name for p in curve.points] == ["raw", "lossless", "0.002 nats", "0.05 nats"]
    sizes = [p.bytes for p in curve.points]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1] > 0
    raw, lossless, *coarse = (p.result for p in curve.points)
    for same in (raw, lossless):
        assert (same["difference"], same["changed"], same.kl) == (0, 0, 0)
    assert 0 < (coarse[0].kl or 0) < (coarse[1].kl or 0)
    assert all(p.result.n == 40 and p.result.views == 2 for p in curve.points)


class _Counting(Executor):
    """Runs at once in the caller, counts, and gives up after `most` units."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.ran, self._most = 0, most

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        if self.ran >= self._most:
            raise KeyboardInterrupt
        self.ran += 1
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def test_an_interrupted_sweep_goes_on_where_it_was(request_: Request, curve: Curve,
                                                   tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sweep(request_, tmp_path, _Counting(3))
    rest = _Counting()
    assert text(sweep(request_, tmp_path, rest)) == text(curve)
    kept = len(list((tmp_path / "units").glob("*.json")))
    again = _Counting()
    assert text(sweep(request_, tmp_path, again)) == text(curve)
    assert 0 < rest.ran < kept + 1 and again.ran == 0


def test_another_label_is_other_work(request_: Request, tmp_path: Path) -> None:
    few = replace(request_, files=request_.files[:4], budgets=(), views=1)
    sweep(few, tmp_path, _Counting())
    again = _Counting()
    changed = (replace(few.files[0], label=1), *few.files[1:])
    sweep(replace(few, files=changed), tmp_path, again)
    assert again.ran == 2  # the unit of either point; nothing is compiled again


def test_a_damaged_result_is_named(request_: Request, tmp_path: Path) -> None:
    few = replace(request_, files=request_.files[:4], budgets=(), views=1)
    sweep(few, tmp_path, _Counting())
    broken = sorted((tmp_path / "units").glob("*.json"))[0]
    broken.write_text("{")
    with pytest.raises(BadInput, match=f"{broken.name}: damaged"):
        sweep(few, tmp_path, _Counting())


@pytest.mark.parametrize("options", [{"kl_budget": 0.1}, {"codec": "raw"}])
def test_a_budget_of_its_own_is_refused(request_: Request, tmp_path: Path,
                                        options: dict[str, Any]) -> None:
    wrong = replace(request_, options=replace(request_.options, **options))
    with pytest.raises(BadInput, match="expected no budget"):
        sweep(wrong, tmp_path, _Counting())


def test_table_and_pictures_show_every_point(curve: Curve) -> None:
    table = markdown(curve).splitlines()
    assert len(table) == 2 + len(curve.points) and {line.count("|") for line in table} == {10}
    import xml.etree.ElementTree as ElementTree
    drawn = ElementTree.fromstring(svg(curve))
    circles = [e for e in drawn.iter() if e.tag.endswith("circle")]
    assert len(circles) == 2 * (len(curve.points) - 1)  # two panels, raw is the right edge
    assert all("src=" not in one and "http" not in one.replace("http-equiv", "")
               for one in (page(curve),))


@pytest.mark.parametrize(("ends", "expected"), [
    ((0, 6), [0, 1, 2, 3, 4, 5, 6]), ((-0.5, 0.1), [-0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.1]),
    ((0, 693), [0, 200, 400, 600])])
def test_ticks_are_round(ends: tuple[float, float], expected: list[float]) -> None:
    np.testing.assert_allclose(ticks(*ends), expected, atol=1e-9)


# -- a cluster: a real scheduler and two workers on this machine -----------------------------------


class _Cluster:
    """A Dask scheduler and workers as processes, on the loopback interface only."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []
        scheduler = self._start("scheduler", "--port", "0", "--host", "127.0.0.1")
        self.address = self._line(scheduler, r"Scheduler at:\s+(tcp://127\.0\.0\.1:\d+)")
        self.workers = [self._worker() for _ in range(2)]

    def _worker(self) -> subprocess.Popen[str]:
        worker = self._start("worker", self.address, "--host", "127.0.0.1", "--nthreads", "1",
                             "--no-nanny", "--death-timeout", "60")
        self._line(worker, r"(Registered to)")
        return worker

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:],
             "--no-dashboard"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/support'}"})
        self.processes.append(process)
        return process

    @staticmethod
    def _line(process: subprocess.Popen[str], pattern: str) -> str:
        """Wait for a line of the process's log; go on reading it, so that it never blocks."""
        assert process.stderr is not None
        seen = ""
        for line in process.stderr:
            seen += line
            if found := re.search(pattern, line):
                threading.Thread(target=process.stderr.read, daemon=True).start()
                return found[1]
        raise AssertionError(f"the process ended: {seen}")

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(need_module: Callable[[str], None]) -> Iterator[_Cluster]:
    need_module("distributed")
    started = _Cluster()
    yield started
    started.close()


def test_a_worker_killed_in_the_middle_changes_nothing(request_: Request, curve: Curve,
                                                       tmp_path: Path, cluster: _Cluster) -> None:
    victim, survivor = cluster.workers
    judged: list[str] = []

    def tick(what: str, files: int) -> None:
        judged.append(what)
        if len(judged) == 3:  # some units are done, others run or wait on either worker
            victim.send_signal(signal.SIGKILL)
            victim.wait()

    with executor(cluster.address) as pool:
        result = sweep(request_, tmp_path, pool, tick)
    assert text(result) == text(curve)
    assert victim.poll() is not None and survivor.poll() is None
    assert len(judged) == 4 + 4 * 3  # compiled and judged; 40 files are three units
