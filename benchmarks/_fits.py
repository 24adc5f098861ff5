# SPDX-License-Identifier: Apache-2.0
"""The table of what fits into which device, from fits.json: a row per size of fast memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

FILE = Path(__file__).resolve().parent / "fits.json"
SIZES = (64, 128, 256, 512)  # KiB
NETWORKS = MappingProxyType({  # of the zoo, and what they are called in the table
    "kws": "keyword spotting", "vww": "person in view, 96x96",
    "mobilenet_v1_0.25_uint8": "MobileNetV1 0.25, 128x128",
    "mobilenet_v2": "MobileNetV2 1.0, 224x224", "ssd_mobilenet_v1": "SSD detector, 300x300"})
DEVICES = MappingProxyType({64: "small Cortex-M0+, M3", 128: "Cortex-M4", 256: "Cortex-M4, M33",
                            512: "Cortex-M7, M55, M85"})

Figures = Mapping[str, Mapping[str, Mapping[str, int]]]


def stored() -> Figures:
    """The figures that benchmarks/fits.py kept."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def lines(found: Figures) -> Iterator[str]:
    """The table in Markdown."""
    yield f"| fast memory | {' | '.join(NETWORKS.values())} |"
    yield "|---|" + "---|" * len(NETWORKS)
    for kib in SIZES:
        cells = (_cell(found[network][str(kib)]) for network in NETWORKS)
        yield f"| {kib} KiB ({DEVICES[kib]}) | {' | '.join(cells)} |"


def _cell(figures: Mapping[str, int]) -> str:
    if "least_bytes" in figures:
        return f"needs {figures['least_bytes'] / 1024:.0f} KiB"
    if not figures["map_bytes"]:
        return "fits whole"
    return (f"moves {figures['map_bytes'] / 1e6:.1f} MB of maps, "
            f"{-(-figures['external_bytes'] // 1024)} KiB outside")
