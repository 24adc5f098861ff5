# SPDX-License-Identifier: Apache-2.0
"""Codec tables in a file: what was learned for some maps of a network, to compile it with.

A NumPy `.npz` with two arrays per map: `CODEC:TENSOR` (uint8, the tables) and `step:TENSOR`
(float64, the scale that they are for; the map gets it when the network is compiled). A third,
`paired:TENSOR`, is there and true where a code is for two rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgefm.codecs import CODECS
from edgefm.errors import BadInput
from edgefm.files.arrays import read_npz
from edgefm.files.write import writing
from edgefm.network.graph import Graph

STEP = "step"
PAIRED = "paired"
SAME_STEP = 1e-6  # share by which a map's step may differ from its tables'
MOST_TABLES = 1 << 26  # bytes, of all maps


@dataclass(frozen=True, slots=True)
class MapTables:
    """One map's codec and tables, the scale of the map they are for, and whether a code is for two
    rows."""

    codec: str
    tables: bytes
    step: float
    paired: bool = False


def step_factors(maps: Mapping[str, MapTables], graph: Graph) -> dict[int, float]:
    """By what each map's scale is to be multiplied, by index of tensor, to be that of its tables.

    Raises BadInput where tables are for no map of the network.
    """
    known = {tensor.name: (t, tensor.scale) for t, tensor in enumerate(graph.tensors)
             if tensor.quant and len(tensor.quant.scale) == 1}
    factors = {}
    for name, one in maps.items():
        if name not in known:
            raise BadInput(f"{graph.name}: no quantized map {name!r}, for which there are tables")
        t, scale = known[name]
        if abs(one.step / scale - 1) > SAME_STEP:
            factors[t] = one.step / scale
    return factors


def write_tables(path: Path, maps: Mapping[str, MapTables]) -> None:
    """Write the tables of maps, by name of tensor. Raises BadInput when the file cannot be."""
    arrays: dict[str, np.ndarray] = {}
    for name, one in maps.items():
        arrays[f"{one.codec}:{name}"] = np.frombuffer(one.tables, np.uint8)
        arrays[f"{STEP}:{name}"] = np.array(one.step)
        if one.paired:
            arrays[f"{PAIRED}:{name}"] = np.array(True)
    with writing(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_tables(path: Path) -> dict[str, MapTables]:
    """The inverse. Raises BadInput, naming the file and the array, for a file that is none."""
    arrays = read_npz(path, MOST_TABLES)
    maps = {}
    for name, array in arrays.items():
        codec, _, tensor = name.partition(":")
        if codec in (STEP, PAIRED):
            continue
        if codec not in CODECS or not tensor or array.dtype != np.uint8 or array.ndim != 1:
            raise BadInput(f"{path}: array {name!r} of {array.dtype} {list(array.shape)}; expected "
                           "CODEC:TENSOR, a row of uint8")
        step = arrays.get(f"{STEP}:{tensor}")
        if step is None or step.dtype.kind != "f" or step.size != 1 or not step > 0:
            raise BadInput(f"{path}: no step of map {tensor!r}; expected an array "
                           f"'{STEP}:{tensor}' with one positive number")
        paired = arrays.get(f"{PAIRED}:{tensor}", np.array(False))
        if paired.dtype != np.bool_ or paired.size != 1:
            raise BadInput(f"{path}: array '{PAIRED}:{tensor}' of {paired.dtype} "
                           f"{list(paired.shape)}; expected one truth value")
        maps[tensor] = MapTables(codec, array.tobytes(), float(step), bool(paired))
    if not maps:
        raise BadInput(f"{path}: holds no codec tables; expected arrays named CODEC:TENSOR")
    return maps
