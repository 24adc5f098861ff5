# SPDX-License-Identifier: Apache-2.0
"""Measure every codec on a network's own feature maps."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.pipeline import Compiled, compile_model
from edgefm.console.names import distinct
from edgefm.console.terminal import say
from edgefm.errors import naming
from edgefm.evaluate.codec_costs import CodecCost, Measurement, measure_codecs
from edgefm.network.graph import Array
from edgefm.package.read import read_info
from host_tools.cli.arguments import add_json, count
from host_tools.cli.compilation import add_compile_options, compile_options
from host_tools.cli.output import print_json, print_table
from host_tools.cli.progress import progress_bar

EXAMPLE = "edgefm codecs net.tflite --images photos --cut ops"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `codecs`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx or .npz")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR",
                        help="folder of files to measure on; codecs learn their tables from "
                             "--calib, or from every other file of this folder")
    parser.add_argument("--limit", type=count, default=4, metavar="N",
                        help="measure on N files, evenly spread (default: 4)")
    parser.add_argument("--fit", type=count, default=8, metavar="N",
                        help="learn tables on N files (default: 8)")
    add_json(parser)
    add_compile_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    with progress_bar(f"codecs {arguments.model.name}", unit="img") as bar:
        compiled = compile_model(arguments.model, compile_options(arguments, arguments.model))
        with naming(arguments.model, compiled.graph.name):
            fit, judge = _inputs(arguments, compiled)
            result = measure_codecs(compiled, fit, judge, lambda: bar.update())
    info = read_info(compiled.package)
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256,
                    **result.to_json()})
    else:
        _print(result)


def _inputs(arguments: argparse.Namespace, compiled: Compiled) -> tuple[list[Array], list[Array]]:
    """The files to learn tables from and the files to measure: never the same ones."""

    def read(folder: Path, most: int) -> list[Array]:
        return calibration_inputs(compiled.graph, compiled.preprocess, folder, most)

    if arguments.calib:
        return read(arguments.calib, arguments.fit), read(arguments.images, arguments.limit)
    files = read(arguments.images, 2 * max(arguments.limit, arguments.fit))
    return files[1::2][:arguments.fit], files[::2][:arguments.limit]


def _print(result: Measurement) -> None:
    say(f"{result.files} files, {len(result.maps)} maps; bits per value with every row's length, "
        "weighted by transfers")
    print_table(("codec", "bits/value", "p99", "largest", "table bytes", "of weights", "error",
                 "state", "buffer", "raw rows", "encode ns", "decode ns"),
                [(c.codec, c.bits_per_value, c.p99, c.largest, c.table_bytes,
                  f"{100 * c.tables_share:.2f} %", _error(c), c.state_bytes, c.buffer_bytes,
                  f"{100 * c.raw_rows:.1f} %", c.encode_ns_per_value, c.decode_ns_per_value)
                 for c in result.codecs])
    say(f"(all tables together may take {result.table_limit:,} bytes; error: mean squared error of "
        "lossy codecs, in steps;\nstate and code buffer of the largest cursor, in bytes; ns per "
        "value on this machine)")
    for c in result.codecs:
        if c.raw_maps:
            say(f"({c.codec} cannot code {c.raw_maps} of these maps; they count as raw)")
    say()
    say("Bits per value of each map")
    told = distinct(m.name for m in result.maps)
    print_table(("map", "values", "transfers", *(c.codec for c in result.codecs)),
                [(told[m.name], m.values, m.transfers, *m.bits_per_value.values())
                 for m in result.maps])


def _error(cost: CodecCost) -> str:
    return "-" if cost.error is None else f"{cost.error:.2f}"
