# SPDX-License-Identifier: Apache-2.0
"""mAP of a detector and mIoU of a segmentation network with coded maps, against uncompressed ones.

The plan is one that the raw and the coded network share, so bytes are those of the same maps, moved
as often; with less memory (--fast) the planner chooses for each which maps move, and how. KL is per
object and per position (edgefm.rate_distortion.divergence); budgets are kept on imagenet_sample,
accuracy is measured on photos of other origin. Every photo is judged in several views; differences
are paired, their standard errors a jackknife over photos.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from _common import data_folder, parser, print_command, print_table, say

from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.evaluate.validate import Labeled, Validation, make_units, process_pool, validate
from edgefm.images.annotations import read_boxes, read_masks
from edgefm.images.labels import read_names
from edgefm.rate_distortion.divergence import decision_of, package_of

KIB = 1024


@dataclass(frozen=True, slots=True)
class Subject:
    """A network, its task, and the fast memory at which coding leaves its plan as it is."""

    model: str
    task: str
    figure: str
    names: str
    fast: int


SUBJECTS = (
    Subject("coco_ssd_mobilenet_v1_1.0_quant_2018_06_29", "detect", "map50", "coco_labels", 160),
    Subject("deeplabv3_mnv2_dm05_pascal_quant", "segment", "miou",
            "pascal_voc_segmentation_labels", 192))


def main() -> None:
    """Print one table."""
    arguments = parser(__doc__)
    arguments.add_argument("--budgets", type=float, nargs="+", default=[0.01, 0.03, 0.1],
                           metavar="NATS", help="KL budgets (default 0.01 0.03 0.1)")
    arguments.add_argument("--models", nargs="+", default=[], metavar="NAME", help="parts of names")
    arguments.add_argument("--fast", type=int, metavar="KIB", help="default: one for each network")
    arguments.add_argument("--views", type=int, default=4, metavar="N", help="default 4")
    arguments.add_argument("--workers", type=int, metavar="N")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    print_table(("network", "fast", "maps", "photos", "views", "bytes per photo", "of raw %",
                 "figure", "%", "difference, points", "changed %", "KL, nats", "steps times"),
                _rows(options, data))


def _rows(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    for subject in SUBJECTS:
        if options.models and not any(part in subject.model for part in options.models):
            continue
        subject = replace(subject, fast=options.fast or subject.fast)
        names = read_names(data / "models" / "labels" / f"{subject.names}.txt")
        made = CompileOptions(fast=subject.fast * KIB, objective="maps", labels=names,
                              calib=data / "images" / "imagenet_sample")
        path = data / "models" / f"{subject.model}.tflite"
        files, raw = _files(subject, data, names), 0
        changes: list[tuple[str, dict[str, Any]]] = [
            ("raw", {}), ("lossless", {"codec": "context"}),
            *((f"KL {b:g}", {"kl_budget": b}) for b in options.budgets)]
        for name, change in changes:
            say(f"{subject.model} {name}")
            wanted = replace(made, **change)
            compiled = compile_loaded(load_model(path, wanted), wanted)
            result = _judged(compiled, files, subject, options)
            moved = result.external_read_bytes + result.external_write_bytes
            raw = raw or moved
            yield (subject.model, f"{subject.fast} KiB", name, result.n, result.views, moved,
                   100 * moved / raw, subject.figure, result[subject.figure],
                   f"{result['difference']:+.2f} ± {result['difference_error']:.2f}",
                   result["changed"], f"{result.kl:.4f} ± {result.kl_error:.4f}",
                   " ".join(f"{s.factor:.2f}" for s in compiled.rate.steps)
                   if compiled.rate else "")


def _files(subject: Subject, data: Path, names: tuple[str, ...]) -> tuple[Labeled, ...]:
    if subject.task == "segment":
        folder = data / "other" / "voc_segmentation3"
        return read_masks(folder, folder)
    folder = data / "other" / "indoor_detection"
    return read_boxes(folder, folder, names).files


def _judged(compiled: Compiled, files: tuple[Labeled, ...], subject: Subject,
            options: argparse.Namespace) -> Validation:
    decisions = (decision_of(compiled.graph), decision_of(compiled.uncompressed))
    units = make_units(files, compiled.package, package_of(compiled.uncompressed),
                       task=subject.task, views=options.views, decisions=decisions)
    with process_pool(options.workers) as pool:
        return validate(units, pool)


if __name__ == "__main__":
    main()
