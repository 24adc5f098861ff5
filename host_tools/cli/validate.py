# SPDX-License-Identifier: Apache-2.0
"""Measure accuracy, traffic and speed on labeled pictures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgefm.evaluate.executors import executor
from edgefm.evaluate.validate import TASKS, Validation, divided, make_units, task_of, validate
from edgefm.evaluate.validate.files import labeled_files
from edgefm.evaluate.validate.judges import Judges, judges_of
from edgefm.images.clipping import warn_of_clipped
from edgefm.package.read import read_info
from edgefm.package.traffic import stored_maps
from host_tools.cli.arguments import add_json, count
from host_tools.cli.compilation import add_compile_options, load_package
from host_tools.cli.output import print_fields, print_json
from host_tools.cli.progress import progress_bar

EXAMPLE = "edgefm validate net.efm --images photos --labels labels.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `validate`."""
    parser.add_argument("net", type=Path, metavar="net.efm|MODEL",
                        help="a package, or .tflite, .onnx or .npz")
    add_files(parser)
    parser.add_argument("--threads", type=count, metavar="N",
                        help="threads of each inference (default: 1, or for few pictures all "
                             "cores that have no process)")
    parser.add_argument("--no-reference", action="store_true",
                        help="do not run the reference and the float network (default: run them)")
    add_json(parser)
    add_compile_options(parser)


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options for files, measurement and processes."""
    parser.add_argument("--images", type=Path, required=True, metavar="DIR",
                        help="folder of pictures or .npy files to measure on")
    parser.add_argument("--labels", type=Path, required=True, metavar="CSV|DIR",
                        help="classes: CSV file,label; boxes: CSV file,class,left,top,right,bottom "
                             "or a folder with NAME.txt; masks: CSV file,mask or a folder with "
                             "NAME.png")
    parser.add_argument("--task", choices=TASKS,
                        help="top-1, mAP at an overlap of 0.5, or mIoU (default: the one that the "
                             "network's outputs fit)")
    parser.add_argument("--views", type=count, default=1, metavar="N",
                        help="run every picture N times, mirrored and shifted by 1 to 3 pixels "
                             "(default: 1, as it is)")
    parser.add_argument("--limit", type=count, metavar="N",
                        help="run N pictures, evenly spread over the list (default: all)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=count, metavar="N",
                       help="processes (default: one per core)")
    where.add_argument("--scheduler", metavar="tcp://HOST:PORT",
                       help="run on a Dask cluster that sees the same files (default: on this "
                            "machine)")


def run(arguments: argparse.Namespace) -> None:
    """Validate and print."""
    package = load_package(arguments, arguments.net)
    info = read_info(package.data, str(arguments.net))
    task = arguments.task or task_of([t.shape for t in info.outputs], info.inputs[0].shape)
    files = labeled_files(arguments.labels, arguments.images, task, info.labels,
                           arguments.limit)
    warn_of_clipped([file.path for file in files], info.inputs[0], arguments.images)
    judges = Judges() if arguments.no_reference else judges_of(package.compiled, arguments.net)
    source = judges.source if task == "classify" else None
    shared = divided(len(files), arguments.workers,
                     arguments.threads or (1 if arguments.scheduler else None))
    units = make_units(files, package.data, judges.oracle, source, task, arguments.views,
                       judges.decisions, shared.threads)
    with executor(arguments.scheduler, shared.workers) as pool, \
            progress_bar("validate", len(files), "img") as bar:
        result = validate(units, pool, bar.update, stored_maps(info))
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256,
                    **result.to_json(), "threads": shared.threads,
                    "workers": None if arguments.scheduler else shared.workers})
    else:
        where = arguments.scheduler or str(shared)
        print_result(info.name, result, where)


def print_result(name: str, result: Validation, where: str) -> None:
    """A validation, and where it ran, as two columns."""
    figures = result.figures
    print_fields({
        "network": name, "pictures": result.n,
        **({"views of each": result.views} if result.views > 1 else {}),
        **{"classify": _classified, "detect": _detected, "segment": _segmented}[result.task](
            figures),
        "difference from the judge, points": _with_error(figures, "difference", "+.2f"),
        "decisions that changed %": figures["changed"],
        "KL(judge || ours), nats": _with_error(result.to_json(), "kl", ".5f"),
        "bits per value of coded maps": result.bits_per_value,
        "external bytes read": result.external_read_bytes,
        "external bytes written": result.external_write_bytes,
        "stored rows that caps made coarser": result.capped_rows,
        "pictures per second and worker": result.images_per_second, "ran on": where})


def _classified(figures: Mapping[str, Any]) -> dict[str, object]:
    return {"top-1 %": _with_error(figures, "top1", ".2f"), "top-5 %": figures["top5"],
            "oracle's top-1 %": figures["reference_top1"],
            "oracle's top-5 %": figures["reference_top5"],
            "float network's top-1 %": figures["float_top1"],
            "same top-1 as the judge %": figures["top1_agreement"]}


def _detected(figures: Mapping[str, Any]) -> dict[str, object]:
    return {"labeled boxes, classes": f"{figures['boxes']}, {figures['classes']}",
            "mAP@0.5 %": _with_error(figures, "map50", ".2f"),
            "oracle's mAP@0.5 %": figures["reference_map50"]}


def _segmented(figures: Mapping[str, Any]) -> dict[str, object]:
    return {"labeled classes": figures["classes"],
            "mIoU %": _with_error(figures, "miou", ".2f"),
            "oracle's mIoU %": figures["reference_miou"]}


def _with_error(figures: Mapping[str, Any], name: str, form: str) -> str | None:
    value, error = figures[name], figures[f"{name}_error"]
    if value is None or error is None:
        return None if value is None else f"{value:{form}}"
    return f"{value:{form}} (standard error {error:{form.lstrip('+')}})"
