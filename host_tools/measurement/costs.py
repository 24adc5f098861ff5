# SPDX-License-Identifier: Apache-2.0
"""Energy where no meter is: bytes and operations times published costs. Always called modeled.

It says what memories and arithmetic would take by the table, as a range; not what a board takes.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from edgefm.errors import BadInput
from edgefm.files.read import read_toml
from host_tools.link.events import Counted

PICO = 1e-12
KEYS = {"external": "pj_per_byte", "weights": "pj_per_byte", "operation": "pj_per_mac"}
LABEL = "modeled"


@dataclass(frozen=True, slots=True)
class Cost:
    """Joules per byte or operation, from least to most, and where that is from."""

    least: float
    most: float
    source: str


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of the external memory's bytes, the weights' bytes, and multiply-adds."""

    name: str
    external: Cost
    weights: Cost
    operation: Cost


@dataclass(frozen=True, slots=True)
class Modeled:
    """Joules by the table: the middle of the range, and half its width."""

    value: float
    error: float
    label: str = LABEL


def load_costs(path: Path | None = None) -> Costs:
    """The table that is given, else the package's. Raises BadInput."""
    where = str(path) if path else "costs.toml"
    own = resources.files(__package__).joinpath("costs.toml")
    fields = read_toml(path) if path else tomllib.loads(own.read_text(encoding="utf-8"))
    for key in fields:
        if key not in KEYS:
            raise BadInput(f"{where}: unknown table [{key}]; expected {', '.join(KEYS)}")
    return Costs(where, *(_cost(where, name, key, fields.get(name)) for name, key in KEYS.items()))


def _cost(where: str, name: str, key: str, fields: Any) -> Cost:
    values = fields if isinstance(fields, dict) else {}
    pair, source = values.get(key), values.get("source")
    if (not isinstance(pair, list) or len(pair) != 2 or not all(map(_is_cost, pair))
            or pair[0] > pair[1] or not isinstance(source, str) or not source):
        raise BadInput(f"{where}: [{name}] needs {key} = [least, most] in picojoules and a source")
    return Cost(pair[0] * PICO, pair[1] * PICO, source)


def _is_cost(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12


def modeled(costs: Costs, counted: Counted, macs: int = 0) -> Modeled:
    """What those bytes and multiply-adds cost by the table."""
    amounts = ((costs.external, counted.external_read_bytes + counted.external_write_bytes),
               (costs.weights, counted.weight_read_bytes), (costs.operation, macs))
    least = sum(cost.least * amount for cost, amount in amounts)
    most = sum(cost.most * amount for cost, amount in amounts)
    return Modeled((least + most) / 2, (most - least) / 2)
