# SPDX-License-Identifier: Apache-2.0
"""What a recording says of itself, read with care: any of it may be missing or of another kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edgefm.package.traffic import MapInfo

Meta = Mapping[str, Any]


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, empty where a recording holds something else."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """A JSON list, empty where a recording holds something else."""
    return value if isinstance(value, list) else []


def whole_number(value: object) -> int | None:
    """A number of a recording's description, None where it holds something else."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2 ** 63
    return int(value) if good and isinstance(value, (int, float)) and math.isfinite(value) else None


def plan_of(meta: Meta) -> Mapping[str, Any]:
    """The package's plan, empty when it is not known."""
    return mapping(mapping(meta.get("model")).get("plan"))


def stage_names(meta: Meta) -> list[str]:
    """Names of the stages as the package's plan has them."""
    return [str(mapping(stage).get("name", number))
            for number, stage in enumerate(listing(plan_of(meta).get("stages")))]


def recorded_maps(meta: Meta) -> tuple[MapInfo, ...]:
    """The maps that the package stores, in the order in which they are counted."""
    model = mapping(meta.get("model"))
    described = listing(model.get("maps")) or listing(plan_of(meta).get("maps"))
    return tuple(_map(mapping(one)) for one in described)


def _map(said: Mapping[str, Any]) -> MapInfo:
    rows, row_bytes = (max(0, whole_number(said.get(key)) or 0) for key in ("rows", "row_bytes"))
    values = whole_number(said.get("values"))
    return MapInfo(str(said.get("name", "–")), str(said.get("codec", "–")), rows, row_bytes,
                   row_bytes if values is None else max(0, values), bool(said.get("pooled")))


def why_no_maps(meta: Meta) -> str:
    """Why a recording has no figures of single maps."""
    counts = mapping(meta.get("device")).get("counts_maps")
    if counts is True:
        return ("No figures map by map: the device had no room for them, or the line lost them "
                "every time.")
    if counts is False:
        return "No figures map by map: this firmware does not count them (protocol 1.2 does)."
    return "No figures map by map: this recording was made before they were counted."
