# SPDX-License-Identifier: Apache-2.0
"""Instructions per weight that decoding takes on a Cortex-M4, and what tables take to build.

Builds weight_cost.c and runs it on QEMU as codec_cost.py does. Weights are Laplacian of several
spreads, or those of a real network's layers (--model), in tiles; every tile is compared with what
went in. Needs qemu-system-arm and arm-none-eabi-gcc.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from _common import ROOT, data_folder, networks, parser, print_command, print_table
from codec_cost import INSTRUCTIONS, expect_tools, output_of

from edgefm.codecs.weights import ALL_CODES, WeightCode, Weights, WeightTable, encode_tile
from edgefm.codecs.weights.fit import fit_tables
from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.rate_distortion.weights.bits import TILE, tiles_of

SPREADS = (0.5, 1.2, 2.5, 5.0, 10.0)
TILES = 12          # of each spread


def main() -> None:
    """Print one row per spread, or per form of a network's weights."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", metavar="NAME", help="part of a name")
    arguments.add_argument("--tile", type=int, default=TILE, metavar="N",
                           help=f"bytes (default {TILE})")
    arguments.add_argument("--optimize", default="-O2", help="the compiler's switch (default -O2)")
    options = arguments.parse_args()
    data = data_folder(options.data)
    expect_tools()
    print_command()
    print_table(("weights", "code", "count", "bits/weight", "instructions per weight",
                 "instructions per table"), _rows(options, data))


def _rows(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        image = _build(Path(folder), options.optimize)
        for name, tiles in _sets(options, data):
            tables = fit_tables(tiles)
            for codes in ({WeightCode.RAW}, {WeightCode.PACKED}, {WeightCode.HUFFMAN}, ALL_CODES):
                row = _counted(image, tiles, tables, codes)
                if row is not None:
                    yield name, "+".join(sorted(c.name.lower() for c in codes)), *row


def _sets(options: argparse.Namespace, data: Path) -> Iterator[tuple[str, list[Weights]]]:
    if options.model:
        network = networks(data, [options.model])[0]
        yield network.name, tiles_of(load_model(network.file, CompileOptions()).graph, options.tile)
        return
    random = np.random.default_rng(1)
    for spread in SPREADS:
        values = np.rint(random.laplace(0, spread, (TILES, options.tile)))
        yield f"Laplacian, {spread:g}", list(np.clip(values, -127, 127).astype(np.int8))


def _build(folder: Path, optimize: str) -> Path:
    native, target = ROOT / "native", folder / "weights.elf"
    subprocess.run(
        ["arm-none-eabi-gcc", "-std=c11", optimize, "-mcpu=cortex-m4", "-mthumb", "-ffreestanding",
         "-nostartfiles", "--specs=nosys.specs", f"-I{native / 'src'}", f"-I{native / 'include'}",
         f"-I{ROOT / 'tests/support'}",
         "-T", str(ROOT / "benchmarks" / "codec_cost.ld"),
         str(ROOT / "benchmarks" / "weight_cost.c"), *map(str, native.glob("src/weights/*.c")),
         "-lc", "-lgcc", "-o", str(target)], check=True)
    return target


def _counted(image: Path, tiles: Sequence[Weights], tables: Sequence[WeightTable],
             codes: frozenset[WeightCode] | set[WeightCode]) -> tuple[object, ...] | None:
    """Weights, bits and instructions of each, and of a table; None where nothing is coded so."""
    coded = [encode_tile(tile, tables, codes) for tile in tiles]
    if {one.code for one in coded}.isdisjoint(codes):
        return None
    records = [table.record() for table in tables]
    job = struct.pack("<2I", len(records), len(tiles))
    job += b"".join(struct.pack("<I", len(record)) + record for record in records)
    job += b"".join(struct.pack("<4I", one.code, one.table, len(one.data), len(tile)) + one.data
                    + tile.tobytes() for one, tile in zip(coded, tiles, strict=True))
    wrong, building, decoding = output_of(image, job)
    if wrong:
        raise SystemExit(f"{wrong} tiles came back changed on the Cortex-M4")
    count = sum(map(len, tiles))
    bits = 8 * (sum(len(one.data) for one in coded) + sum(map(len, records))) / count
    return (count, bits, decoding * INSTRUCTIONS / count,
            round(building * INSTRUCTIONS / max(len(records), 1)))


if __name__ == "__main__":
    main()
