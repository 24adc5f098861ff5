# SPDX-License-Identifier: Apache-2.0
"""Compiling for a board without external memory: what fits, what it loses, what it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import Network

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_loaded
from edgefm.errors import BadInput
from edgefm.network.graph import Graph
from edgefm.runtime import Runtime
from host_tools.cli import main

FAST = 16_000


def classifier() -> Graph:
    """Four blocks at 96x16: maps between them are 12,288 bytes, rings in one of them 3,072."""
    net = Network(8)
    x = net.conv(net.input(1, 96, 16, 3), 8)
    for _ in range(4):
        deep = net.depthwise(net.conv(x, 64, kernel=1, activation="relu"), activation="relu")
        x = net.conv(deep, 8, kernel=1)
    return net.graph(net.dense(net.mean(net.conv(x, 16, stride=2)), 4))


@pytest.fixture
def calib(tmp_path: Path) -> Path:
    """Smooth pictures with some noise, 21 of them."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:96, 0:16]
    for i in range(21):
        waves = 60 * np.sin(x / (2 + i % 5) + i) + 40 * np.cos(y / (3 + i % 4))
        noise = random.normal(0, 1 + i % 6, (96, 16, 3))
        picture = np.clip(waves[..., None] + noise, -128, 127).astype(np.int8)
        np.save(tmp_path / f"{i:02}.npy", picture[None])
    return tmp_path


def options(calib: Path, **more: object) -> CompileOptions:
    base = CompileOptions(fast=FAST, external=0, codec="context", calib=calib, preprocess="raw")
    return replace(base, **more)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore")
def test_what_does_not_fit_is_pooled_and_capped(calib: Path) -> None:
    model = Model(classifier(), classifier(), None, "")
    made = compile_loaded(model, options(calib))
    plan = made.plan
    assert plan.fast_bytes <= FAST and plan.external_bytes == 0 and plan.pool_pages
    assert all(m.pooled and m.cap for m in plan.maps) and made.rate is None
    with Runtime(made.package) as runtime:
        random = np.random.default_rng(2)
        for _ in range(3):
            noise = random.integers(-128, 128, (1, 96, 16, 3)).astype(np.int8)
            counters = runtime.run([noise]).counters
            assert counters.capped_rows > 0
            assert counters.pool_pages <= plan.pool_pages
            assert counters.pool_bytes <= 2 * sum(m.most_bytes for m in plan.maps)


@pytest.mark.filterwarnings("ignore")
def test_a_budget_for_loss_is_kept_with_coarser_steps(calib: Path) -> None:
    model = Model(classifier(), classifier(), None, "")
    coarse = compile_loaded(model, options(calib, kl_budget=0.05))
    assert coarse.rate is not None and coarse.plan.fast_bytes <= FAST
    assert 0 <= coarse.rate.kl <= 0.05 and all(s.factor > 1 for s in coarse.rate.steps)
    assert {m.name for m in coarse.plan.maps} <= {s.name for s in coarse.rate.steps}


@pytest.mark.filterwarnings("ignore")
def test_with_room_for_everything_nothing_is_pooled(calib: Path) -> None:
    model = Model(classifier(), classifier(), None, "")
    made = compile_loaded(model, options(calib, fast=1 << 20, kl_budget=0.05))
    assert not made.plan.maps and made.rate is None


@pytest.mark.filterwarnings("ignore")
def test_impossible_wishes_are_refused(calib: Path) -> None:
    model = Model(classifier(), classifier(), None, "")
    with pytest.raises(BadInput, match="budget in bytes needs external memory"):
        compile_loaded(model, options(calib, byte_budget=1000))
    for file in sorted(calib.glob("*.npy"))[3:]:
        file.unlink()
    with pytest.raises(BadInput, match="3 calibration files; expected 7 at least"):
        compile_loaded(model, options(calib))


def test_the_plan_shows_the_pool(calib: Path, capsys: pytest.CaptureFixture[str],
                                 tmp_path: Path) -> None:
    package = compile_loaded(Model(classifier(), classifier(), None, ""), options(calib)).package
    (tmp_path / "net.efm").write_bytes(package)
    assert main(["plan", str(tmp_path / "net.efm")]) == 0
    printed = capsys.readouterr().out
    assert "Page pool at" in printed and "external memory" in printed
