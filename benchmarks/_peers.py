# SPDX-License-Identifier: Apache-2.0
"""Counts of tests/counts/counts.json beside peers': the rows of one table, for a page or a screen.

peers.json has what others take: instructions of TFLite Micro 90b983c2 with CMSIS-NN and with its
reference kernels, gcc 12.2 -O2, counted on the same emulated boards; cycles of closed engines, from
published results on a Cortex-M4 at 120 MHz, which no emulator counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
COUNTS = HERE.parent / "tests" / "counts" / "counts.json"
HEADER = ("processor", "network", "arena", "instructions", "external bytes", "weight bytes",
          "package bytes", "peer", "ours / peer's")
ROW = re.compile(r"(?P<processor>.+): (?P<network>\w+) in (?P<arena>\d+ KiB)")
CYCLES = "cycles"
BEST = "TFLM + CMSIS-NN"
HEADLINE = {"mobilenet_v2": "MobileNetV2 1.0 224", "vww_96": "VWW-96",
            "person_detect": "person detection", "resnet8": "ResNet-8", "kws": "keyword spotting"}

Cells = tuple[object, ...]


def peers(processor: str, network: str) -> Mapping[str, int]:
    """What others take for a network, by name."""
    found = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))
    return dict(found.get(processor.partition(",")[0], {}).get(network, {}))


def rows() -> Iterator[Cells]:
    """A row for each published network and processor; made-up networks have no peers."""
    table = json.loads(COUNTS.read_text(encoding="utf-8"))["rows"]
    published = _published()
    for name, row in table.items():
        found = ROW.fullmatch(name)
        if found is None or found["network"] not in published:
            continue
        others = peers(found["processor"], found["network"])
        counted = {who: value for who, value in others.items() if CYCLES not in who}
        best = min(counted.values(), default=0)
        yield (found["processor"], found["network"], found["arena"], row["instructions"],
               row["external_bytes"], row["weight_bytes"], row["package_bytes"],
               ", ".join(f"{who} {value:,}" for who, value in others.items()) or "-",
               f"{row['instructions'] / best:.2f}" if best else "-")


def headline() -> Iterator[str]:
    """Millions of instructions on two processors, ours and a peer's, for people in a hurry."""
    table = json.loads(COUNTS.read_text(encoding="utf-8"))["rows"]
    yield ("| million instructions, 160 KiB | Cortex-M4 | TFLM + CMSIS-NN | Cortex-M55 | "
           "TFLM + CMSIS-NN |")
    yield "|---|---:|---:|---:|---:|"
    for network, words in HEADLINE.items():
        cells = (f"{value / 1e6:,.{0 if value > 5e7 else 1}f}"
                 for processor in ("cortex-m4", "cortex-m55")
                 for value in (table[f"{processor}: {network} in 160 KiB"]["instructions"],
                               peers(processor, network)[BEST]))
        yield f"| {words} | " + " | ".join(cells) + " |"


def _published() -> tuple[str, ...]:
    known = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))
    return tuple(sorted({network for one in known.values() for network in one}))


def lines() -> Iterator[str]:
    """The table in Markdown."""
    numbers = range(3, 7)
    yield "| " + " | ".join(HEADER) + " |"
    yield "|" + "|".join("---:" if at in numbers else "---" for at in range(len(HEADER))) + "|"
    for row in rows():
        yield "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell)
                                for cell in row) + " |"
