# SPDX-License-Identifier: Apache-2.0
"""What the search minimizes: a price of bytes, by memory, and of instructions."""

from __future__ import annotations

from dataclasses import dataclass

from edgefm.errors import BadInput
from edgefm.network.program import OpKind
from edgefm.planner.figures import Figures, figures_of
from edgefm.planner.instructions import StageInstructions
from edgefm.planner.layout import Layout
from edgefm.planner.storage import Storage
from edgefm.planner.target import Target

OBJECTIVES = ("cost", "maps", "bytes", "time", "energy")
GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Prices:
    """The price of a byte of maps through external memory, of a byte of weights, and of an
    instruction, which is counted by `figures` unless it is free. With `maps_first` bytes of maps
    count, and the rest only where they are equal."""

    maps: float
    weights: float
    instruction: float = 0.0
    figures: Figures | None = None
    maps_first: bool = False


def prices_of(objective: str, target: Target) -> Prices:
    """The prices of an objective on a target. Raises BadInput for an unknown objective, or where
    the target lacks what it is computed from."""
    if objective not in OBJECTIVES:
        raise BadInput(f"objective {objective!r}: expected one of {', '.join(OBJECTIVES)}")
    if objective in ("maps", "bytes"):
        return Prices(1.0, 1.0, maps_first=objective == "maps")
    if objective == "cost":
        return _with_figures(objective, target, target.external_cost, target.weight_cost,
                             target.instruction_cost)
    if objective == "time":
        return _with_figures(objective, target, _per_byte(target.external_rate),
                             _per_byte(target.weight_rate), nanoseconds(target) or 1.0)
    if not (target.instruction_energy or target.external_energy or target.weight_energy):
        raise BadInput(f"target {target.name}: objective energy needs what bytes and instructions "
                       "take; expected instruction_energy, external_energy or weight_energy in its "
                       "file (picojoules)")
    return _with_figures(objective, target, target.external_energy, target.weight_energy,
                         target.instruction_energy)


def nanoseconds(target: Target) -> float:
    """Of an instruction; 0 where the target names no clock."""
    return GIGA / (target.clock * target.instructions_per_cycle) if target.clock else 0.0


def _per_byte(rate: float) -> float:
    return GIGA / rate if rate else 0.0


def _with_figures(objective: str, target: Target, maps: float, weights: float, instruction: float
                  ) -> Prices:
    figures = figures_of(target.counted_as) if instruction else None
    if instruction and figures is None:
        raise BadInput(f"target {target.name}: objective {objective} counts instructions; expected "
                       f"a target with a processor whose instructions are measured")
    return Prices(maps, weights, instruction, figures)


def modeled_milliseconds(target: Target, instructions: int, map_bytes: int, weight_bytes: int
                         ) -> float | None:
    """What an inference takes if nothing overlaps; None where the target names no clock."""
    if not target.clock:
        return None
    spent = (instructions * nanoseconds(target) + map_bytes * _per_byte(target.external_rate)
             + weight_bytes * _per_byte(target.weight_rate))
    return spent / 1e6


def modeled_millijoules(target: Target, instructions: int, map_bytes: int, weight_bytes: int
                        ) -> float | None:
    """What an inference takes of the energies that the target names; None without any."""
    if not (target.instruction_energy or target.external_energy or target.weight_energy):
        return None
    spent = (instructions * target.instruction_energy + map_bytes * target.external_energy
             + weight_bytes * target.weight_energy)
    return spent / GIGA


def paying(layout: Layout, storage: Storage, prices: Prices) -> Storage:
    """The storage, but maps stay as they are whose code takes more than it saves, by what is
    expected of it. Maps in the page pool have to be coded."""
    if prices.figures is None or storage.pooled:
        return storage
    instructions = StageInstructions(layout, prices.figures)

    def pays(stream: int) -> bool:
        codec = storage.codec_of(stream)
        more = sum(instructions.of_move(kind, stream, codec) - instructions.of_move(kind, stream)
                   for kind in (OpKind.STORE, OpKind.LOAD))
        saved = 2 * (1 - storage.share) * layout.program.streams[stream].map_bytes
        return codec == "raw" or saved * prices.maps > more * prices.instruction

    return storage.only(frozenset(filter(pays, range(len(layout.program.streams)))))
