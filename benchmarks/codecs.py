# SPDX-License-Identifier: Apache-2.0
"""Bits per value of every codec when every operator output is stored (or as --cut says).

Maps of photos that no table was learned from go through the C codecs and come back; each map counts
as often as it crosses the port, every row with its two bytes of length, tables on their own. Times
are of one core of this machine, whole maps, what encodes and decodes in C.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from _common import (
    MOBILENET_V2,
    SQUEEZENET,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.pipeline import compile_model
from edgefm.evaluate.codec_costs import measure_codecs


def main() -> None:
    """Print one row per network and codec."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[MOBILENET_V2, SQUEEZENET],
                           metavar="NAME", help="parts of names")
    arguments.add_argument("--images", type=int, default=50, metavar="N",
                           help="validation photos to measure on (default 50)")
    arguments.add_argument("--fit", type=int, default=16, metavar="N",
                           help="other photos to learn tables from (default 16)")
    arguments.add_argument("--every", type=int, default=1, metavar="N",
                           help="only every N-th map (default 1: all)")
    arguments.add_argument("--cut", default="ops", help="where stages end (default ops)")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    print_table(("network", "values per photo", "photos", "codec", "bits/value", "p99", "largest",
                 "table bytes", "of the weights", "error", "raw maps", "state", "encode ns/value",
                 "decode ns/value"), _rows(options, data))


def _rows(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    for network in networks(data, options.models):
        say(network.name)
        compiled = compile_model(network.file, options_for(network, data, cut=options.cut))
        fit, judge = (calibration_inputs(compiled.graph, compiled.preprocess,
                                         data / "images" / folder, most)
                      for folder, most in (("imagenet_sample", options.fit),
                                           ("imagenet_val", options.images)))
        result = measure_codecs(compiled, fit, judge, lambda: say("."), options.every)
        values = sum(m.values for m in result.maps)
        for c in result.codecs:
            yield (network.name, values, result.files, c.codec, c.bits_per_value, c.p99, c.largest,
                   c.table_bytes, f"{100 * c.tables_share:.2f} %",
                   "-" if c.error is None else f"{c.error:.2f}", c.raw_maps, c.state_bytes,
                   c.encode_ns_per_value, c.decode_ns_per_value)


if __name__ == "__main__":
    main()
