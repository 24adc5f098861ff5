# SPDX-License-Identifier: Apache-2.0
"""One unit of a validation: some files, the networks to run, and the results for each file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from edgefm.errors import BadInput
from edgefm.evaluate.validate import classify, detect, segment
from edgefm.evaluate.validate.networks import (
    FloatNet,
    OpenNetworks,
    Oracle,
    PackageJudge,
    Seen,
    as_judge,
    opened,
)
from edgefm.evaluate.validate.views import View, views
from edgefm.images import answers
from edgefm.images.annotations import BoxedFile, MaskedFile
from edgefm.images.geometry import Placement
from edgefm.images.labels import LabeledFile
from edgefm.images.picture import load_picture
from edgefm.images.preprocess import (
    Preprocess,
    load_image,
    picture_size,
    picture_to_input,
    placement_of,
)
from edgefm.network.graph import Array
from edgefm.package.traffic import total
from edgefm.rate_distortion.divergence import Decision, divergence
from edgefm.runtime.runtime import Runtime

TASKS = ("classify", "detect", "segment")
Labeled = LabeledFile | BoxedFile | MaskedFile
_COUNTED = ("external_read_bytes", "external_write_bytes", "coded_bytes", "coded_values",
            "capped_rows")
_open = OpenNetworks()


@dataclass(frozen=True, slots=True)
class Unit:
    """Files `first`, `first + 1`, … of a validation and everything needed to judge them.

    `oracle` is the quantized network before any map got coarser steps, as .tflite for the reference
    kernels or as a package for ours (None: no oracle); `source` is the float network's file (None
    where the source is quantized). `decisions` says where our package and an oracle package hold
    their decisions; divergence is then measured there, not on outputs. Each inference of ours has
    `threads` threads, on which no result depends.
    """

    first: int
    files: tuple[Labeled, ...]
    package: bytes = field(repr=False)
    oracle: bytes | None = field(default=None, repr=False)
    source: Path | None = None
    task: str = "classify"
    views: int = 1
    decisions: tuple[Decision, Decision] | None = field(default=None, repr=False)
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """One file: `evidence` is plain data of its task; counters, seconds and `maps` (the fields of
    MapCounters for each stored map) are those of all `runs`, `kl` is the mean over them."""

    number: int
    evidence: Mapping[str, Any]
    kl: float | None
    runs: int
    counters: Mapping[str, int]
    seconds: float
    maps: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _File:
    """A file as the network's input, and where a picture lies in it."""

    data: Array
    placement: Placement | None
    views: Sequence[View]


def run_unit(unit: Unit) -> tuple[Outcome, ...]:
    """Judge the files of one unit."""
    ours_at, oracle_at = unit.decisions or (None, None)
    ours = PackageJudge(_open.get("ours", (unit.package, unit.threads), lambda: Runtime(
        unit.package, threads=unit.threads)), ours_at)
    oracle = _oracle(unit.oracle, unit.threads, oracle_at)
    source = FloatNet.load(unit.source) if unit.source else None
    return tuple(_judge(unit, index, ours.runtime.info.preprocess, ours, oracle, source)
                 for index in range(len(unit.files)))


def _oracle(model: bytes | None, threads: int, decision: Decision | None
            ) -> PackageJudge | Oracle | None:
    if model is None:
        return None
    return as_judge(_open.get("oracle", (model, threads), lambda: opened(model, threads)), decision)


def _judge(unit: Unit, index: int, preprocess: Preprocess | None, ours: PackageJudge,
           oracle: PackageJudge | Oracle | None, source: FloatNet | None) -> Outcome:
    labeled = unit.files[index]
    start = time.perf_counter()
    file = _read(labeled.path, preprocess, ours.runtime, unit)
    inputs = [view.of(file.data) for view in file.views] if unit.views > 1 else [file.data]
    mine = [ours.see(data) for data in inputs]
    seconds = time.perf_counter() - start
    judged = [oracle.see(data) for data in inputs] if oracle else None
    evidence, kl = _KEEP[unit.task](labeled, file, ours.runtime, mine, judged, source, preprocess)
    if unit.decisions and judged:
        kl = float(np.mean([divergence(b.decision, a.decision)
                            for a, b in zip(mine, judged, strict=True)
                            if a.decision and b.decision]))
    counters = {name: sum(int(getattr(one.counters, name)) for one in mine) for name in _COUNTED}
    maps = [astuple(one) for one in total([one.maps for one in mine])]
    return Outcome(unit.first + index, evidence, kl, len(mine), counters, seconds, maps)


def _read(path: Path, preprocess: Preprocess | None, runtime: Runtime, unit: Unit) -> _File:
    """A file as input; boxes and masks need a picture, to be mapped back to."""
    target = runtime.inputs[0]
    if unit.views > 1:
        picture_size(tuple(target.shape))  # refuses other shapes
    if unit.task == "classify":
        return _File(load_image(path, preprocess, target), None, views(unit.views))
    image = load_picture(path)
    data = picture_to_input(image, preprocess, target, str(path))
    assert preprocess is not None
    return _File(data, placement_of(image.size, preprocess, target), views(unit.views))


Kept = tuple[Mapping[str, Any], float | None]


def _classified(labeled: Labeled, file: _File, runtime: Runtime, mine: Sequence[Seen],
                judged: Sequence[Seen] | None, source: FloatNet | None,
                preprocess: Preprocess | None) -> Kept:
    assert isinstance(labeled, LabeledFile)
    info = runtime.outputs[0]

    def read(seen: Sequence[Seen]) -> list[Array]:
        return [classify.class_scores(one.outputs[0], info.scale, info.zero_point) for one in seen]

    ours, oracle = read(mine), read(judged) if judged else None
    floated = None
    if source:
        data = source.input(labeled.path, preprocess)
        seen = [view.of(data) for view in file.views] if len(file.views) > 1 else [data]
        floated = [classify.class_scores(source.output(one), 1.0, 0) for one in seen]
    judge = floated or oracle
    kl = float(np.mean([classify.divergence(b, a) for a, b in zip(ours, judge, strict=True)])
               ) if judge else None
    return classify.evidence(labeled, ours, oracle, floated), kl


def _detected(labeled: Labeled, file: _File, runtime: Runtime, mine: Sequence[Seen],
              judged: Sequence[Seen] | None, *_: object) -> Kept:
    assert isinstance(labeled, BoxedFile) and file.placement is not None
    placement, size = file.placement, picture_size(tuple(runtime.inputs[0].shape))[::-1]

    def read(seen: Sequence[Seen]) -> list[list[list[float]]]:
        return [_boxes(one.outputs, view, placement, size)
                for one, view in zip(seen, file.views, strict=True)]

    return detect.evidence(labeled, read(mine), read(judged) if judged else None), None


def _boxes(outputs: Sequence[Array], view: View, placement: Placement,
           size: tuple[int, int]) -> list[list[float]]:
    """What was found, as (class, score, left, top, right, bottom) in picture pixels."""
    straight = [view.boxes_back(np.nan_to_num(outputs[0]), size), *outputs[1:]]
    return [[box.index, box.score, box.left, box.top, box.right, box.bottom]
            for box in answers.boxes(straight, placement, (), 0.0)]


def _segmented(labeled: Labeled, file: _File, runtime: Runtime, mine: Sequence[Seen],
               judged: Sequence[Seen] | None, *_: object) -> Kept:
    assert isinstance(labeled, MaskedFile) and file.placement is not None
    placement, size = file.placement, picture_size(tuple(runtime.inputs[0].shape))[::-1]

    def read(seen: Sequence[Seen]) -> list[Array]:
        return [answers.mask(view.mask_back(one.outputs[0], size), placement)
                for one, view in zip(seen, file.views, strict=True)]

    return segment.evidence(labeled, placement.picture, read(mine),
                            read(judged) if judged else None), None


_KEEP: Mapping[str, Callable[..., Kept]] = MappingProxyType(
    {"classify": _classified, "detect": _detected, "segment": _segmented})


def task_of(shapes: Sequence[tuple[int, ...]], source: tuple[int, ...]) -> str:
    """The task that a network's outputs are made for. Raises BadInput when there is none."""
    tasks = {"scores": "classify", "boxes": "detect", "mask": "segment"}
    kind = answers.kind(shapes, source)
    if kind not in tasks:
        raise BadInput(f"validate needs class scores, boxes or a class for every pixel; the "
                       f"network's first output is {list(shapes[0])}")
    return tasks[kind]
