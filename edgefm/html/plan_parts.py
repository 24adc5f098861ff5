# SPDX-License-Identifier: Apache-2.0
"""The parts of a plan's picture: where maps live and why, what every stage moves and computes.

A plan is the JSON object of `edgefm plan --json`. What crosses when maps are coded is not a part of
it, so `Drawn` adds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgefm.console.names import distinct
from edgefm.html.bars import Bar, Part, bars, key, plain
from edgefm.html.markup import Markup, breakable, join, size, tag
from edgefm.html.tables import Cell, table

PlanJson = Mapping[str, Any]
RAW_NOTE = "Every map crosses as it is: none is coded."


@dataclass(frozen=True, slots=True)
class Crossing:
    """A stored map: the stages that write and read it (one each time), and the bytes of one
    transfer as coded."""

    written: tuple[int, ...]
    read: tuple[int, ...]
    coded: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plan to draw: the network's name, the plan, what crosses for each of its maps, and in a
    few words where the figures of coded maps come from."""

    name: str
    plan: PlanJson
    crossings: tuple[Crossing, ...]
    coded_from: str = ""

    @property
    def has_codes(self) -> bool:
        """True when some map is coded."""
        return any(one["codec"] != "raw" for one in self.plan["maps"])


@dataclass(frozen=True, slots=True)
class StageBytes:
    """Bytes of one stage: maps as they are, maps as coded, weights."""

    raw: float
    coded: float
    weights: float


def moved(drawn: Drawn) -> list[StageBytes]:
    """What each stage moves per inference."""
    stages = drawn.plan["stages"]
    raw, coded = [0.0] * len(stages), [0.0] * len(stages)
    for one, crossing in zip(drawn.plan["maps"], drawn.crossings, strict=True):
        for stage in (*crossing.written, *crossing.read):
            raw[stage] += one["bytes"]
            coded[stage] += crossing.coded
    return [StageBytes(r, c, stage["weight_read_bytes"])
            for r, c, stage in zip(raw, coded, stages, strict=True)]


def stage_names(plan: PlanJson) -> list[str]:
    """A short name of each stage that no other has: its number and first operator."""
    firsts = [str(stage["first"]) for stage in plan["stages"]]
    told = distinct(firsts, 28)
    return [f"{at} {told[first]}" for at, first in enumerate(firsts)]


def traffic(drawn: Drawn) -> Markup:
    """Bytes per stage: a bar of maps as coded, what coding saves, and weights; and a table."""
    found, names = moved(drawn), stage_names(drawn.plan)
    rows = [Bar(name, _parts(one), _caption(one)) for name, one in zip(names, found, strict=True)]
    kinds = [("maps", "feature maps, external memory"), ("weights", "weights read")]
    if drawn.has_codes:
        kinds.insert(1, ("saved", "saved by coding"))
    note = f"Coded: {drawn.coded_from}." if drawn.has_codes else RAW_NOTE
    return join(key(*kinds), bars(rows, "Bytes that each stage moves"),
                tag("p", note, class_="note"))


def _parts(one: StageBytes) -> tuple[Part, ...]:
    return (Part("maps", one.coded, f"maps: {size(one.coded)}"),
            Part("saved", one.raw - one.coded, f"saved by coding: {size(one.raw - one.coded)}"),
            Part("weights", one.weights, f"weights: {size(one.weights)}"))


def _caption(one: StageBytes) -> str:
    return size(one.coded + one.weights)


STAGE_HEADS = ("stage", "last operator", "fast memory", "maps read", "maps written",
               "maps as coded", "weights read")
_STAGE_BYTES = ("fast_bytes", "external_read_bytes", "external_write_bytes")


def stage_table(drawn: Drawn) -> Markup:
    """Every stage in bytes, and the sums of what moves."""
    stages, found = drawn.plan["stages"], moved(drawn)
    lasts = distinct((str(stage["last"]) for stage in stages), 28)
    figures = [(*(int(stage[key]) for key in _STAGE_BYTES), round(one.coded), int(one.weights))
               for stage, one in zip(stages, found, strict=True)]
    rows: list[tuple[Cell, ...]] = [
        (breakable(name), breakable(lasts[str(stage["last"])]), *numbers)
        for name, stage, numbers in zip(stage_names(drawn.plan), stages, figures, strict=True)]
    sums = [sum(column) for column in zip(*figures, strict=True)][1:]
    return table(STAGE_HEADS, rows, ("all stages", "", "", *sums) if rows else ())


def homes(drawn: Drawn) -> Markup:
    """Every map that exists as a whole: where, how, and why so."""
    stored, held = drawn.plan["maps"], _held(drawn.plan)
    told = distinct([str(one["name"]) for one in (*stored, *held)])
    rows = [(breakable(told[str(one["name"])]), *_home(one, crossing))
            for one, crossing in zip(stored, drawn.crossings, strict=True)]
    rows += [(breakable(told[str(one["name"])]), "fast memory", int(one["bytes"]), "as it is",
              f"fits there from stage {one['first_stage']} to {one['last_stage']}: nothing moves")
             for one in held]
    if not rows:
        return tag("p", "No map exists as a whole: all are rings of a few rows.", class_="note")
    return table(("map", "lives in", "bytes", "stored", "why"), rows)


def _home(one: Mapping[str, Any], crossing: Crossing) -> tuple[str, int, str, str]:
    pooled = one.get("pooled")
    coded = one["codec"] != "raw"
    where = "page pool" if pooled else "external memory"
    moves = f"stages {_list(crossing.written)} to {_list(crossing.read)}"
    why = f"coded in {100 * crossing.coded / one['bytes']:.0f} % of raw" if coded else (
        f"raw because {_sentence(one['why_raw'])}" if one.get("why_raw") else "raw")
    return (where, int(one.get("most_bytes", one["bytes"])), str(one["codec"]),
            f"crosses from {moves}; {why}")


def _sentence(why: str) -> str:
    return "no --codec was given" if why == "no --codec" else why


def _list(stages: Sequence[int]) -> str:
    return ", ".join(map(str, dict.fromkeys(stages))) or "–"


def _held(plan: PlanJson) -> list[Mapping[str, Any]]:
    """Buffers that live longer than a stage, each once."""
    found = {(b["first_stage"], b["offset"], b["name"]): b
             for stage in plan["stages"] for b in stage.get("buffers", ())
             if b["first_stage"] != b["last_stage"]}
    return [one for _, one in sorted(found.items())]


def work(plan: PlanJson) -> Markup | None:
    """Instructions of each stage as the plan predicts them; None where it predicts none."""
    stages = plan["stages"]
    if not stages or not all(stage.get("instructions") for stage in stages):
        return None
    rows = [plain(name, stage["instructions"], f"{stage['instructions'] / 1e6:,.2f} million")
            for name, stage in zip(stage_names(plan), stages, strict=True)]
    return join(tag("h3", "Instructions per stage, predicted"),
                bars(rows, "Instructions of each stage"))


def lead(drawn: Drawn) -> Markup:
    """What the plan comes to, in two sentences."""
    plan = drawn.plan
    raw = plan["external_read_bytes"] + plan["external_write_bytes"]
    outside = f"moves {size(raw)} of feature maps through external memory" if raw else \
        "keeps every feature map out of external memory"
    words = [f" needs {size(plan['fast_bytes'])} of fast memory, {outside} and reads "
             f"{size(plan['weight_read_bytes'])} of weights per inference."]
    if drawn.has_codes and raw:
        coded = sum(one.coded for one in moved(drawn))
        words.append(f" Coded, the maps take {size(coded)}: {100 * coded / raw:.0f} % "
                     f"({drawn.coded_from}).")
    return tag("p", tag("strong", drawn.name), "".join(words), class_="lead")


TOTAL_WORDS = {"fast memory": "fast_bytes", "external memory": "external_bytes",
               "maps read": "external_read_bytes", "maps written": "external_write_bytes",
               "weights read": "weight_read_bytes", "input read": "input_read_bytes",
               "output written": "output_write_bytes", "multiply-adds": "macs"}


def totals(drawn: Drawn, other: Drawn | None = None) -> Markup:
    """The plan's figures in bytes, beside another plan's."""
    first = _figures(drawn)
    if other is None:
        return table(("per inference", "bytes, or operations"), list(first.items()))
    second = _figures(other)
    return table(("per inference", "this plan", "the other", "difference"),
                 [(word, value, second[word], _difference(value, second[word]))
                  for word, value in first.items()])


def _figures(drawn: Drawn) -> dict[str, int]:
    figures = {word: int(drawn.plan.get(name) or 0) for word, name in TOTAL_WORDS.items()}
    return {**figures, "maps as coded": round(sum(one.coded for one in moved(drawn))),
            "stages": len(drawn.plan["stages"])}


def _difference(mine: int, theirs: int) -> str:
    if mine == theirs:
        return "="
    share = f" ({100 * (mine - theirs) / theirs:+.0f} %)" if theirs else ""
    return f"{mine - theirs:+,}{share}"


def compared(drawn: Drawn, other: Drawn) -> Markup:
    """Totals of two plans side by side, and bars of what each moves."""
    rows = [Bar(name, _parts(_all(one)), _caption(_all(one)))
            for name, one in (("this plan", drawn), ("the other", other))]
    return join(tag("p", f"This plan is of {drawn.name}, the other one of {other.name}.",
                    class_="note"),
                bars(rows, "Bytes that each plan moves"), totals(drawn, other))


def _all(drawn: Drawn) -> StageBytes:
    found = moved(drawn)
    return StageBytes(*(sum(getattr(one, name) for one in found) for name in StageBytes.__slots__))
