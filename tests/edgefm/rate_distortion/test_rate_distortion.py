# SPDX-License-Identifier: Apache-2.0
"""Budgets are kept on samples that nothing was fitted on, and packages say what was decided."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadInput
from edgefm.evaluate.diff import diff_compiled
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph, Quant
from edgefm.network.program import OpKind
from edgefm.package.meta import read_meta, write_meta
from edgefm.package.read import read_info
from edgefm.rate_distortion import IMAGES, Budget, groups
from edgefm.rate_distortion.divergence import changed, divergences, scores
from edgefm.rate_distortion.points_per_nat import Changes, toll_of
from edgefm.runtime import Runtime

Build = Callable[..., Compiled]


@pytest.fixture
def build(classifier: Graph, samples: list[Array], tmp_path: Path) -> Build:
    """`build(kl_budget=0.01)` compiles the classifier, calibrated on the samples, cut at every
    operator, with every map outside."""
    for number, sample in enumerate(samples):
        np.save(tmp_path / f"{number}.npy", sample)

    def compiled(**options: object) -> Compiled:
        wanted = {"calib": tmp_path, "cut": "ops", "fast": 8 << 10, **options}
        return compile_loaded(Model(classifier, classifier, None, ""),
                              replace(CompileOptions(), **wanted))  # type: ignore[arg-type]

    return compiled


def test_a_kl_budget_is_kept_on_held_out_samples(build: Build, samples: list[Array]) -> None:
    compiled = build(kl_budget=0.02)
    rate = compiled.rate
    assert rate is not None and 0.005 < rate.kl <= 0.02 and rate.kl_budget == 0.02
    held = [*samples[1:5], *samples[6:]]
    got = divergences(scores(compiled.uncompressed, held), scores(compiled.graph, held))
    assert (rate.images, rate.kl) == (7, pytest.approx(got.mean()))
    share = changed(scores(compiled.uncompressed, held), scores(compiled.graph, held))
    assert share is not None
    assert rate.points == toll_of([Changes(rate.kl, share, 7)]).points(rate.kl)


def test_a_search_that_begins_with_few_files_ends_with_all(
        build: Build, samples: list[Array], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = list[int]()

    def counted(reference: list[Any], changed: list[Any]) -> Any:
        sizes.append(len(changed))
        return divergences(reference, changed)

    for module in ("edgefm.rate_distortion", "edgefm.rate_distortion.search"):
        monkeypatch.setattr(f"{module}.FEW", 1)
    monkeypatch.setattr("edgefm.rate_distortion.search.divergences", counted)
    rate = build(kl_budget=0.02).rate
    assert rate is not None and rate.images == sizes[-1] == 8 and sizes[0] == 2
    assert sizes == sorted(sizes) and rate.kl + rate.kl_error <= 0.02


def test_more_loss_takes_fewer_bytes(build: Build) -> None:
    rates = [build(kl_budget=kl, codec="ebpc").rate for kl in (0.001, 0.004, 0.1)]
    sizes = [rate.map_bytes for rate in rates if rate]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3


@pytest.mark.parametrize("rule", ["slope", "deviation"])
def test_a_mean_byte_budget_is_kept_in_bytes_that_cross_the_port(build: Build, samples: list[Array],
                                                            rule: str) -> None:
    free = build(kl_budget=1e-9, codec="ebpc").rate
    assert free is not None
    wanted = free.map_bytes * 3 // 4
    compiled = build(mean_byte_budget=wanted, rate_rule=rule, codec="ebpc")
    assert compiled.rate is not None and 0.9 * wanted < compiled.rate.map_bytes <= wanted
    with Runtime(compiled.package) as runtime:
        counters = [runtime.run([x]).counters for x in (*samples[1:5], *samples[6:])]
    crossed = np.mean([c.external_read_bytes + c.external_write_bytes for c in counters])
    assert compiled.rate.map_bytes == round(float(crossed))


def test_bytes_that_suffice_anyway_cost_nothing(build: Build) -> None:
    compiled = build(byte_budget=1 << 20)
    assert compiled.rate is not None and compiled.rate.kl == pytest.approx(0, abs=1e-12)
    assert [step.factor for step in compiled.rate.steps] == pytest.approx(
        [1] * len(compiled.rate.steps))


def test_an_accuracy_budget_is_the_cautious_kl_budget(build: Build) -> None:
    told = build(accuracy_budget=0.6, points_per_nat=(20, 30)).rate
    plain = build(kl_budget=0.02).rate
    assert told is not None and plain is not None
    assert replace(told, points=plain.points) == plain
    assert told.points == pytest.approx((20 * told.kl, 30 * told.kl))


def test_an_accuracy_budget_counts_decisions_that_change(build: Build, samples: list[Array],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = []
    for share in (0.01, 0.4):
        monkeypatch.setattr("edgefm.rate_distortion.search.changed",
                            lambda a, b, share=share: share)
        rate = build(accuracy_budget=2.0).rate
        assert rate is not None and rate.points[1] <= 2.0 and rate.kl <= (rate.kl_budget or 0)
        budgets.append(rate.kl_budget or 0)
    assert budgets[0] > 2 * budgets[1]


def test_only_maps_outside_get_coarser(build: Build, classifier: Graph,
                                       maps: dict[str, int]) -> None:
    stored = next(t for name, t in maps.items() if name.startswith("add"))
    compiled = build(kl_budget=0.05, cut=classifier.tensors[stored].name)
    changed = [t for t, (a, b) in enumerate(zip(compiled.graph.tensors, classifier.tensors,
                                                strict=True))
               if a.quant != b.quant and a.data is None]
    assert tuple(changed) == next(g for g in groups(classifier) if stored in g)
    assert compiled.rate is not None
    assert [step.name for step in compiled.rate.steps] == [classifier.tensors[stored].name]


def test_the_package_is_exact_to_its_own_graph(build: Build, samples: list[Array]) -> None:
    compiled = build(kl_budget=0.05)
    result = diff_compiled(compiled, [[x] for x in samples[:3]])
    assert result.max_abs_diff == 0 and result.tensors > 5


def test_a_step_that_changes_operators_is_planned_again(samples: list[Array],
                                                        tmp_path: Path) -> None:
    """With its zero point at the lowest code, a relu has nothing left to do."""
    net = Network(3)
    quant = Quant((0.03125,), (-127,))
    x = net.conv(net.input(1, 16, 12, 4), 8, result=quant)
    x = net.node("relu", (x,), net.shape(x), quant)
    graph = net.graph(net.softmax(net.dense(net.mean(net.conv(x, 8)), 6)))
    for number, sample in enumerate(samples):
        np.save(tmp_path / f"{number}.npy", sample)
    compiled = compile_loaded(Model(graph, graph, None, ""),
                              CompileOptions(calib=tmp_path, cut="ops", codec="ebpc",
                                             fast=8 << 10, kl_budget=1.0))
    kinds = [op.kind for op in lower(graph).ops]
    assert OpKind.LUT in kinds and OpKind.LUT not in [op.kind for op in compiled.program.ops]
    assert diff_compiled(compiled, [[x] for x in samples[:2]]).max_abs_diff == 0


def test_the_package_says_what_was_decided(build: Build) -> None:
    compiled = build(kl_budget=0.02)
    assert compiled.rate is not None
    told = read_info(compiled.package).rate
    assert told == read_meta(write_meta({**_some_meta(), "rate": told}))["rate"]
    assert told is not None and told["kl"] == compiled.rate.kl
    assert [step["factor"] for step in told["steps"]] == [
        step.factor for step in compiled.rate.steps]
    assert read_info(build(codec="zvc").package).rate is None


def test_packages_without_the_key_still_open_and_wrong_ones_do_not() -> None:
    assert "rate" not in read_meta(write_meta(_some_meta()))
    with pytest.raises(ValueError, match="META.rate.rule"):
        read_meta(write_meta({**_some_meta(), "rate": {"kl": 0.1}}))


def _some_meta() -> dict[str, object]:
    numbers = ("fast_bytes", "control_bytes", "io_bytes", "external_bytes", "external_read_bytes",
               "external_write_bytes", "input_read_bytes", "output_write_bytes",
               "weight_read_bytes", "macs")
    plan = {**dict.fromkeys(numbers, 0), "objective": "cost", "stages": [], "maps": []}
    return {"name": "n", "model_sha256": "", "plan_sha256": "", "preprocess": None, "labels": [],
            "plan": plan, "streams": []}


def test_the_codec_follows_the_budget() -> None:
    assert CompileOptions().map_codec == "raw"
    assert CompileOptions(kl_budget=0.1).map_codec == "context"
    assert CompileOptions(kl_budget=0.1, codec="zvc").map_codec == "zvc"


@pytest.mark.parametrize("options, message", [
    ({"kl_budget": 0.01, "byte_budget": 9000}, "one positive budget"),
    ({"mean_byte_budget": 9000, "byte_budget": 9000}, "one positive budget"),
    ({"kl_budget": -1.0}, "one positive budget"),
    ({"kl_budget": 0.01, "rate_rule": "guess"}, "slope, deviation"),
    ({"kl_budget": 0.01, "calib": None}, "--calib DIR"),
    ({"kl_budget": 0.01, "fast": None, "cut": "auto"}, "stores no map"),
    ({"mean_byte_budget": 10}, "coarsest steps"),
    ({"byte_budget": 10}, "coarsest steps")])
def test_impossible_budgets_are_refused(build: Build, options: dict[str, object],
                                        message: str) -> None:
    with pytest.raises(BadInput, match=message):
        build(**options)


def test_one_calibration_file_is_too_few(build: Build, tmp_path: Path) -> None:
    for path in sorted(tmp_path.glob("*.npy"))[1:]:
        path.unlink()
    with pytest.raises(BadInput, match="at least two"):
        build(kl_budget=0.01)


def test_budgets_are_of_loss_or_of_bytes() -> None:
    assert Budget(kl=0.02).of_loss and Budget(points=0.3).of_loss
    assert not Budget(bytes=10).of_loss and Budget(bytes=10).spent == 10
    assert not Budget(mean_bytes=10).of_loss and Budget(mean_bytes=10).spent == 10
    assert IMAGES >= 16
