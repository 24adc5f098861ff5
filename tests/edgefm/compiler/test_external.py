# SPDX-License-Identifier: Apache-2.0
"""A budget in bytes for external memory holds for every picture, and says what it promises."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import Network

from edgefm.compiler.caps import Capping
from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadInput
from edgefm.network.graph import Graph
from edgefm.package.read import read_info
from edgefm.runtime import Runtime

Build = Callable[..., Compiled]
BOARD = "alignment = 4\nbuffers = 2\nburst = 64\nexternal_bytes = 1000000\n"


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A residual block at 48x16 whose maps are stored, one of them read twice."""
    net = Network(8)
    x = net.conv(net.input(1, 48, 16, 3), 8)
    for _ in range(2):
        deep = net.depthwise(net.conv(x, 24, kernel=1, activation="relu"), activation="relu")
        x = net.add(net.conv(deep, 8, kernel=1), x)
    return net.graph(net.softmax(net.dense(net.mean(net.conv(x, 12, stride=2)), 6)))


@pytest.fixture
def build(graph: Graph, tmp_path: Path) -> Build:
    """`build(byte_budget=9000)`: calibrated on smooth pictures, stored at every block."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:48, 0:16]
    for i in range(24):
        waves = 60 * np.sin(x / (2 + i % 5) + i) + 40 * np.cos(y / (3 + i % 4))
        picture = waves[..., None] + random.normal(0, 1 + i % 6, (48, 16, 3))
        np.save(tmp_path / f"{i:02}.npy", np.clip(picture, -128, 127).astype(np.int8)[None])
    (tmp_path / "board.toml").write_text(BOARD)

    def compiled(**options: object) -> Compiled:
        wanted = {"calib": tmp_path, "cut": "blocks", "fast": 64 << 10, "codec": "tans",
                  "preprocess": "raw", "transform": "none", **options}
        return compile_loaded(Model(graph, graph, None, ""),
                              replace(CompileOptions(), **wanted))  # type: ignore[arg-type]

    return compiled


def adversaries() -> list[np.ndarray]:
    """Noise and extremes of every kind that a codec may dislike."""
    random = np.random.default_rng(2)
    noise = random.integers(-128, 128, (1, 48, 16, 3))
    checks = np.indices(noise.shape).sum(0) % 2 * 255 - 128
    late = np.where(np.indices(noise.shape)[1] < 24, 3, noise)
    return [p.astype(np.int8) for p in (noise, np.where(noise < 0, -128, 127), checks, late,
                                        np.full_like(noise, 127), np.full_like(noise, -128))]


def crossed(compiled: Compiled, picture: np.ndarray) -> int:
    with Runtime(compiled.package) as runtime:
        counters = runtime.run([picture]).counters
    return counters.external_read_bytes + counters.external_write_bytes


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("codec, target, share", [
    ("ebpc", None, 0.55), ("ebpc", "board.toml", 0.65), ("context", "board.toml", 0.6)])
def test_no_picture_takes_more_than_the_budget(build: Build, tmp_path: Path, codec: str,
                                               target: str | None, share: float) -> None:
    where = {"codec": codec, "target": str(tmp_path / target) if target else None}
    raw = build(**{**where, "codec": "raw"}).plan
    budget = int(share * (raw.external_read_bytes + raw.external_write_bytes))
    compiled = build(byte_budget=budget, **where)
    plan, rate = compiled.plan, compiled.rate
    assert rate is not None and rate.most_map_bytes == plan.most_map_bytes
    assert 0.95 * budget < plan.most_map_bytes <= budget
    assert rate.map_bytes <= plan.most_map_bytes and rate.byte_budget == budget
    most = max(crossed(compiled, picture) for picture in adversaries())
    assert 0.8 * plan.most_map_bytes < most <= plan.most_map_bytes  # the promise is not an idle one


@pytest.mark.filterwarnings("ignore")
def test_counters_say_how_often_caps_acted(build: Build) -> None:
    compiled = build(byte_budget=12_000)
    with Runtime(compiled.package) as runtime:
        calm = runtime.run([np.full((1, 48, 16, 3), 5, np.int8)]).counters
        noise = runtime.run([adversaries()[0]]).counters
    assert calm.capped_rows == calm.largest_shift == 0
    assert noise.capped_rows > 20 and noise.largest_shift >= 1


@pytest.mark.filterwarnings("ignore")
def test_a_budget_beyond_what_maps_can_take_changes_nothing(build: Build) -> None:
    compiled = build(byte_budget=1 << 20)
    assert compiled.rate is not None and compiled.rate.kl == pytest.approx(0, abs=1e-12)
    with Runtime(compiled.package) as runtime:
        assert all(runtime.run([p]).counters.capped_rows == 0 for p in adversaries())


@pytest.mark.filterwarnings("ignore")
def test_packages_say_mean_and_most(build: Build) -> None:
    promised, mean = build(byte_budget=12_000), build(mean_byte_budget=12_000)
    told = read_info(promised.package).rate
    assert told is not None and told["most_map_bytes"] <= 12_000 == told["byte_budget"]
    assert told["map_bytes"] < told["most_map_bytes"] and told["mean_byte_budget"] is None
    told = read_info(mean.package).rate
    assert told is not None and told["byte_budget"] is None and told["mean_byte_budget"] == 12_000
    assert told["map_bytes"] <= 12_000 < told["most_map_bytes"]
    assert not any(m.cap for m in mean.plan.maps)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("quality", ["rows", "static", "derived", "signalled"])
def test_quality_maps_of_every_kind_keep_a_budget(build: Build, quality: str) -> None:
    compiled = build(byte_budget=12_000, codec="ebpc", quality=quality, tile=5)
    assert compiled.plan.most_map_bytes <= 12_000
    told = {m["quality"] for m in read_info(compiled.package).plan["maps"]}
    assert told == {"static" if quality == "rows" else quality}
    assert max(crossed(compiled, p) for p in adversaries()) <= compiled.plan.most_map_bytes


@pytest.mark.filterwarnings("ignore")
def test_quality_maps_go_without_a_budget_and_under_one_for_loss(build: Build) -> None:
    free = build(quality="static", codec=None)
    assert {m.codec for m in free.plan.maps} == {"context"} and free.rate is None
    with Runtime(free.package) as runtime:
        assert all(runtime.run([p]).counters.capped_rows == 0 for p in adversaries())
    lossy = build(quality="derived", codec="ebpc", kl_budget=0.05)
    assert lossy.rate is not None and 0 < lossy.rate.kl <= 0.05
    assert {m.cap.kind.name for m in lossy.plan.maps if m.cap} == {"DERIVED"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("codec", ["raw", "dctcm", "gf2"])
def test_a_codec_that_cannot_be_capped_is_refused(build: Build, codec: str) -> None:
    with pytest.raises(BadInput, match="--mean-byte-budget"):
        build(byte_budget=12_000, codec=codec)


def test_loose_caps_never_act(graph: Graph) -> None:
    from edgefm.lower import lower
    from edgefm.planner import Target

    target = Target(alignment=4)
    for stream in lower(graph).streams:
        cap = Capping([], target, None).loose(stream)
        assert cap.per_row % 4 == 0 and cap.per_row > stream.row_bytes and cap.depth == 0
