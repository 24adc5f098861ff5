# SPDX-License-Identifier: Apache-2.0
"""Instructions per value that each codec takes on a Cortex-M4, to encode and to decode.

Builds codec_cost.c once per codec and runs it on QEMU (mps2-an386), where one instruction takes one
nanosecond of virtual time; memcpy and memset are newlib's. The maps are the first rows of a real
network's, with tables learned on other photos; every map is decoded again and compared. Needs
qemu-system-arm and arm-none-eabi-gcc.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from _common import (
    MOBILENET_V2,
    ROOT,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.codecs import CODECS, Codec, Rows, RowShape
from edgefm.codecs.engine.quick import KIND
from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.pipeline import compile_model
from edgefm.errors import BadInput
from edgefm.evaluate.codec_costs import boundaries_of, maps_of
from edgefm.runtime import Runtime

TOOLS = ("qemu-system-arm", "arm-none-eabi-gcc")
INSTRUCTIONS = 40    # of a nanosecond each, per tick of a 25 MHz clock
VALUES = 40_000      # of a map, in whole rows
JOB = 0x21000000     # where the image looks for its map
TIMEOUT = 300
FIT = 8
PARTS = {"temporal": ("context",), "mix": ("context",)}   # codecs whose code another one needs


def main() -> None:
    """Print one row per map and codec; ends with status 2 where a tool is missing."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", default=MOBILENET_V2, metavar="NAME", help="part of a name")
    arguments.add_argument("--maps", nargs="+", type=int, default=[1, 6, 11, 16, 31], metavar="N",
                           help="which operator outputs (default: 1 6 11 16 31)")
    arguments.add_argument("--optimize", default="-O2", help="the compiler's switch (default -O2)")
    arguments.add_argument("--codecs", nargs="+", default=list(CODECS), choices=list(CODECS),
                           metavar="NAME", help="default: all")
    options = arguments.parse_args()
    data = data_folder(options.data)
    expect_tools()
    print_command()
    print_table(("map", "rows x pixels x channels", "codec", "encode", "decode", "bits/value"),
                _rows(options, data))


def expect_tools() -> None:
    """End with status 2 where a tool is missing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"{sys.argv[0]}: {missing[0]} is not installed", file=sys.stderr)
        raise SystemExit(2)


def _rows(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        images = {name: _build(Path(folder), name, options.optimize)
                  for name, codec in CODECS.items()
                  if codec.id and name in options.codecs}
        for name, shape, fit, rows in _maps(options, data):
            say(name)
            for codec in (CODECS[each] for each in images):
                for kind, tables in _tables(codec, fit, shape):
                    cost = count(images[codec.name], codec.id, tables, shape, rows)
                    yield (name[-32:], " x ".join(map(str, rows.shape)), codec.name + kind, *cost)


def _maps(options: argparse.Namespace,
          data: Path) -> Iterator[tuple[str, RowShape, list[Rows], Rows]]:
    """Name, shape, maps to learn from and the first rows of another."""
    network = networks(data, [options.model])[0]
    compiled = compile_model(network.file, options_for(network, data, cut="ops"))
    boundaries = boundaries_of(compiled)
    found = []
    with Runtime(compiled.package) as runtime:
        for folder, most in (("imagenet_val", 1), ("imagenet_sample", FIT)):
            inputs = calibration_inputs(compiled.graph, compiled.preprocess,
                                        data / "images" / folder, most)
            found += [maps_of(runtime, boundaries, one) for one in inputs]
    for i in options.maps:
        shape = boundaries[i].shape
        rows = found[0][i][:max(VALUES // shape.values, 1)]
        yield boundaries[i].name, shape, [np.asarray(maps[i]) for maps in found[1:]], rows


def _tables(codec: Codec, fit: Sequence[Rows], shape: RowShape) -> Iterator[tuple[str, bytes]]:
    """The smallest and the largest tables, where they are learned; rice's plain ones besides; none
    where the codec does not take such a map."""
    if codec.candidates is None:
        with contextlib.suppress(BadInput):
            yield "", codec.fit(fit, shape, 1 << 16)
        return
    found = sorted((c.tables for c in codec.candidates(fit, shape)), key=len)
    if codec.name == "rice":
        plain = [tables for tables in found if tables[0] == KIND]
        found = [tables for tables in found if tables[0] != KIND]
        yield ", plain", plain[0]
    yield f", {len(found[0])} bytes of tables", found[0]
    if len(found) > 1:
        yield f", {len(found[-1])} bytes of tables", found[-1]


def _build(folder: Path, codec: str, optimize: str) -> Path:
    """The image with this codec alone."""
    native, target = ROOT / "native", folder / f"{codec}.elf"
    switches = [f"-DEFM_WITH_{name.upper()}={int(name == codec)}" for name in CODECS]
    sources = ["bits.c", "codecs/table.c", "codecs/shared.c",
               *(f"codecs/{name}.c" for name in (codec, *PARTS.get(codec, ()))),
               *(f"codecs/engine/{path.name}" for path in native.glob("src/codecs/engine/*.c"))]
    subprocess.run(
        ["arm-none-eabi-gcc", "-std=c11", optimize, "-mcpu=cortex-m4", "-mthumb", "-ffreestanding",
         "-nostartfiles", "--specs=nosys.specs", *switches, f"-I{native / 'src'}",
         f"-I{native / 'include'}", f"-I{ROOT / 'tests/support'}", "-ffunction-sections",
         "-Wl,--gc-sections", "-T",
         str(ROOT / "tests/support/bare.ld"), str(ROOT / "benchmarks" / "codec_cost.c"),
         *(str(native / "src" / each) for each in sources), "-lc", "-lgcc", "-o", str(target)],
        check=True)
    return target


def count(image: Path, codec: int, tables: bytes, shape: RowShape,
          rows: Rows) -> tuple[float, float, float]:
    """(instructions per value to encode, to decode, bits per value) of rows int8 [H, W, C]."""
    head = struct.pack("<3Ii2I", codec, shape.width, shape.channels, shape.zero_point, len(rows),
                       len(tables))
    wrong, encode, decode, stored = output_of(image, head + tables + rows.tobytes())
    if wrong:
        raise SystemExit(f"codec {codec}: a map came back changed on the Cortex-M4")
    return (encode * INSTRUCTIONS / rows.size, decode * INSTRUCTIONS / rows.size,
            8 * (stored + 2 * len(rows)) / rows.size)


def output_of(image: Path, job: bytes) -> list[int]:
    """The numbers that an image prints of a job."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(job)
        file.flush()
        done = subprocess.run(
            ["qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none",
             "-serial", "none", "-semihosting-config", "enable=on,target=native", "-icount",
             "shift=0", "-device", f"loader,file={file.name},addr={JOB:#x},force-raw=on", "-kernel",
             str(image)], capture_output=True, text=True, timeout=TIMEOUT, check=True)
    return [int(v, 16) for v in (done.stdout + done.stderr).split()]


if __name__ == "__main__":
    main()
