# SPDX-License-Identifier: Apache-2.0
"""Which stages of a package store each of its maps and which load it, from its records."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from edgefm.errors import BadContainer
from edgefm.files.read import one_line
from edgefm.network.program import OpKind
from edgefm.package.container import read_sections
from edgefm.package.records import FIRING, MAP, OPERATOR, STAGE, Section


@dataclass(frozen=True, slots=True)
class Moves:
    """The stages that write a map and that read it; one that two operators load reads it twice."""

    written: tuple[int, ...]
    read: tuple[int, ...]


def map_moves(package: bytes, name: str = "package") -> tuple[Moves, ...]:
    """The moves of every stored map, in the order of the plan's maps. Raises BadContainer."""
    sections = read_sections(package, name)
    try:
        return _moves(sections)
    except (IndexError, KeyError, struct.error) as error:
        raise BadContainer(f"{name}: its schedule is damaged: {one_line(error)}") from None


def _moves(sections: Mapping[Section, bytes]) -> tuple[Moves, ...]:
    ops = [(row[0], row[-1]) for row in OPERATOR.iter_unpack(sections[Section.OPERATORS])]
    begins = [first for first, _ in STAGE.iter_unpack(sections[Section.STAGES])]
    maps = len(list(MAP.iter_unpack(sections[Section.MAPS])))
    found: list[dict[OpKind, dict[int, int]]] = [
        {OpKind.STORE: {}, OpKind.LOAD: {}} for _ in range(maps)]
    for at, (op, _) in enumerate(FIRING.iter_unpack(sections[Section.FIRINGS])):
        kind, link = ops[op]
        if kind in (OpKind.STORE, OpKind.LOAD):
            found[link][OpKind(kind)].setdefault(op, bisect_right(begins, at) - 1)
    return tuple(Moves(tuple(one[OpKind.STORE].values()), tuple(one[OpKind.LOAD].values()))
                 for one in found)
