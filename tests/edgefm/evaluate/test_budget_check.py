# SPDX-License-Identifier: Apache-2.0
"""A budget that labeled files do not keep is tightened, and lossless coding is the last word."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from networks import Network

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadInput
from edgefm.evaluate import budget_check as module
from edgefm.evaluate.budget_check import ROUNDS, Check, Judged, compile_checked
from edgefm.evaluate.validate import Validation
from edgefm.images.labels import LabeledFile
from edgefm.package.read import read_info
from edgefm.rate_distortion.divergence import decision_of, divergences, scores


@pytest.fixture(scope="module")
def model() -> Model:
    net = Network(3, name="classifier")
    x = net.conv(net.input(1, 16, 12, 4), 8)
    x = net.conv(net.pool(x), 12)
    graph = net.graph(net.softmax(net.dense(net.mean(x), 6)))
    assert decision_of(graph)
    return Model(graph, graph, None, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(5)
    for number in range(12):
        coarse = random.integers(-100, 100, (1, 4, 3, 4))
        np.save(made / f"{number:02}.npy", coarse.repeat(4, 1).repeat(4, 2).astype(np.int8))
    return made


@pytest.fixture
def files(folder: Path) -> tuple[LabeledFile, ...]:
    return tuple(LabeledFile(path, n % 6) for n, path in enumerate(sorted(folder.iterdir())))


def run(model: Model, folder: Path, files: tuple[LabeledFile, ...], **budget: float
        ) -> tuple[Compiled, Check]:
    options = CompileOptions(calib=folder, cut="ops", fast=8 << 10, **budget)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as pool:
        return compile_checked(model, options, Judged(files, "classify"), pool)


def test_a_budget_that_holds_is_written_into_the_package(
        model: Model, folder: Path, files: tuple[LabeledFile, ...]) -> None:
    compiled, check = run(model, folder, files, kl_budget=0.2)
    assert [one.met for one in check.rounds] == [True]
    one = check.rounds[0]
    samples = [np.load(file.path) for file in files]
    got = divergences(scores(compiled.uncompressed, samples), scores(compiled.graph, samples))
    assert one.kl == pytest.approx(got.mean()) and one.map_bytes > 0
    rate = read_info(compiled.package).rate
    assert rate is not None and rate["check"]["kl"] == one.kl and rate["check"]["files"] == 12


def judge(monkeypatch: pytest.MonkeyPatch, points: list[float], kls: list[float]) -> None:
    """Labeled files that say what they are told, round by round."""
    said = iter(zip(points, kls, strict=True))

    def told(*_: object) -> Validation:
        lost, kl = next(said)
        figures = {"top1": 50.0, "difference": -lost, "difference_error": 0.1, "changed": 2.0}
        return Validation("classify", 12, 1, figures, kl, 0.001, 4.0, 10, 10, 0.0, 1.0)

    monkeypatch.setattr(module, "_judge", told)


def test_points_that_exceed_their_budget_tighten_it_in_proportion(
        model: Model, folder: Path, files: tuple[LabeledFile, ...],
        monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, [1.0, 0.4], [0.02, 0.01])
    _, check = run(model, folder, files, accuracy_budget=0.6)
    first, second = check.rounds
    assert (first.met, second.met) == (False, True)
    assert second.kl_budget == pytest.approx(0.9 * 0.6 / 1.0 * (first.kl_budget or 0))


def test_kl_that_exceeds_its_budget_tightens_it(
        model: Model, folder: Path, files: tuple[LabeledFile, ...],
        monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, [0.0, 0.0], [0.055, 0.049])
    _, check = run(model, folder, files, kl_budget=0.05)
    assert [one.met for one in check.rounds] == [False, True]
    assert check.rounds[1].kl_budget == pytest.approx(0.8 * 0.05)  # a step worth compiling for


def test_what_never_holds_ends_without_coarser_steps(
        model: Model, folder: Path, files: tuple[LabeledFile, ...],
        monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, [9.0] * ROUNDS + [0.0], [0.5] * ROUNDS + [0.0])
    compiled, check = run(model, folder, files, accuracy_budget=3.0)
    assert [one.met for one in check.rounds] == [False] * ROUNDS + [True]
    assert compiled.rate is None and check.rounds[-1].kl_budget == 0
    assert {m.codec for m in compiled.plan.maps} == {"context"}


def test_bytes_are_measured_and_not_judged(model: Model, folder: Path,
                                           files: tuple[LabeledFile, ...]) -> None:
    _, check = run(model, folder, files, byte_budget=3000)
    assert [one.met for one in check.rounds] == [None]


def test_a_check_needs_a_budget(model: Model, folder: Path, files: tuple[LabeledFile, ...]
                                ) -> None:
    with pytest.raises(BadInput, match="nothing to check without a budget"):
        run(model, folder, files)
