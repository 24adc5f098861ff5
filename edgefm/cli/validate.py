# SPDX-License-Identifier: Apache-2.0
"""Measure accuracy, distance from the source network, traffic and speed on labelled pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgefm.cli.arguments import add_compile_options, add_json, count, load_package
from edgefm.cli.output import print_fields, print_json, progress_bar
from edgefm.compiler import Compiled
from edgefm.container import read_info
from edgefm.errors import BadInput
from edgefm.exporters.tflite import export_tflite
from edgefm.labels import read_labels, spread
from edgefm.reference import Reference, available
from edgefm.validate import Validation, make_units, process_pool, validate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `validate`."""
    parser.add_argument("net", type=Path, metavar="net.efm|MODEL")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR")
    parser.add_argument("--labels", type=Path, required=True, metavar="CSV",
                        help="header file,label; then one line per picture")
    parser.add_argument("--limit", type=count, metavar="N",
                        help="judge N pictures, evenly spread over the list")
    parser.add_argument("--workers", type=count, metavar="N",
                        help="processes (default: one per core)")
    parser.add_argument("--no-reference", action="store_true",
                        help="do not run the oracle and the float network")
    add_json(parser)
    add_compile_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Validate and print."""
    files = spread(read_labels(arguments.labels, arguments.images), arguments.limit)
    package = load_package(arguments, arguments.net)
    oracle, source = None, None
    if package.compiled and not arguments.no_reference:
        oracle = _oracle(package.compiled, arguments.net)
        source = arguments.net if package.compiled.source.is_float() else None
    with process_pool(arguments.workers) as pool, \
            progress_bar("validate", len(files), "img") as bar:
        result = validate(make_units(files, package.data, oracle, source), pool, bar.update)
    info = read_info(package.data, str(arguments.net))
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256,
                    **result.to_json()})
    else:
        print_result(info.name, result)


def _oracle(compiled: Compiled, model: Path) -> bytes | None:
    """The quantised network for TFLite: its own file, or our export if that cannot be read."""
    if not available():
        return None
    if model.suffix.lower() == ".tflite" and compiled.uncompressed is compiled.source:
        original = model.read_bytes()
        try:
            with Reference(original):
                return original
        except BadInput:  # a file that edgefm reads and TFLite refuses
            pass
    return export_tflite(compiled.uncompressed)


def print_result(name: str, result: Validation) -> None:
    """A validation as two columns."""
    error = (result.top1 * (100 - result.top1) / result.n) ** 0.5
    print_fields({
        "network": name, "pictures": result.n,
        "top-1 %": f"{result.top1:.2f} (standard error {error:.2f})", "top-5 %": result.top5,
        "oracle's top-1 %": result.reference_top1, "oracle's top-5 %": result.reference_top5,
        "float network's top-1 %": result.float_top1,
        "same top-1 as the judge %": result.top1_agreement,
        "KL(judge || ours), nats": None if result.kl is None else f"{result.kl:.5f}",
        "bits per value of coded maps": result.bits_per_value,
        "external bytes read": result.external_read_bytes,
        "external bytes written": result.external_write_bytes,
        "pictures per second and worker": result.images_per_second})
