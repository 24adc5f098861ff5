# SPDX-License-Identifier: Apache-2.0
"""Switches of native/src/config.h that leave out the code that one package does not use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgefm.codecs import CODECS
from edgefm.files.read import read_bytes
from edgefm.network.program import OpKind
from edgefm.package.read import Needs, PackageInfo, read_info, read_needs
from edgefm.package.records import Feature

PIXEL_ZERO = -128  # of an int8 input that pixels come as bytes for
OWN = frozenset({OpKind.INPUT, OpKind.OUTPUT, OpKind.LOAD, OpKind.STORE})  # the executor's


def switches(needs: Needs) -> Mapping[str, int]:
    """`{"EFM_WITH_CONV": 1, "EFM_WITH_PAD": 0, …}` for operators, codecs, stored maps, caps,
    quality maps, loops of kernels, and weights that
    are coded or behind a port."""
    operators = {f"EFM_WITH_{kind.name}": int(kind in needs.operators)
                 for kind in OpKind if kind not in OWN}
    codecs = {f"EFM_WITH_{codec.name.upper()}": int(codec.id in needs.codecs)
              for codec in CODECS.values() if codec.id != 0}
    caps = {"EFM_WITH_CAPS": Feature.CAPPED, "EFM_WITH_TILES": Feature.QUALITY,
            "EFM_WITH_WEIGHT_PORT": Feature.WEIGHT_PORT,
            "EFM_WITH_WEIGHT_CODES":
                Feature.WEIGHT_CODES | Feature.WEIGHT_TILES | Feature.WEIGHT_PORT}
    maps = {"EFM_WITH_MAPS": int(not needs.operators.isdisjoint((OpKind.LOAD, OpKind.STORE)))}
    kernels = {"EFM_WITH_CONV_ROWS": int(needs.conv_rows),
               "EFM_WITH_DEPTHWISE_WINDOWS": int(needs.depthwise_windows)}
    return {**operators, **codecs, **maps, **kernels, **{name: int(bool(needs.features & feature))
                                      for name, feature in caps.items()}}


def only(package: Path) -> Mapping[str, int]:
    """The switches for one package file, in firmware that has nothing for people to look around in
    either. Raises BadContainer, BadInput."""
    data = read_bytes(package)
    return {**switches(read_needs(data, str(package))), "EFM_WITH_HELP": 0,
            "EFM_WITH_MEMORY_TEST": 0,
            "EFM_WITH_FLOATS": int(_takes_floats(read_info(data, str(package))))}


def _takes_floats(info: PackageInfo) -> bool:
    """Whether a benchmark may send its input as float32: pixels come as bytes."""
    return len(info.inputs) == 1 and info.inputs[0].zero_point != PIXEL_ZERO
