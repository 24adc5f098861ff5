# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page about networks that were planned, run and validated.

A run is a mapping with `name` and the JSON objects of the command line:

| key | what | may be left out |
|---|---|---|
| `plan` | `edgefm plan --json` | no |
| `layer_by_layer` | `edgefm plan --cut ops --json`, every map in external memory | yes |
| `validate` | `edgefm validate --json` | yes |
| `codecs` | `edgefm codecs --json`: `codecs` [{`codec`, `bits_per_value`, `table_bytes`}] and \
`maps` [{`name`, `values`, `bits_per_value` {codec: bits}}] | yes |

The page loads nothing: no script, no font, no picture from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgefm.console.names import distinct
from edgefm.files.write import write_file
from edgefm.html.arena import memory
from edgefm.html.bars import bars, plain
from edgefm.html.document import document
from edgefm.html.markup import Markup, breakable, join, number, size, tag
from edgefm.html.plan_parts import stage_names
from edgefm.html.tables import Cell, folded, table

RunJson = Mapping[str, Any]

RAW_BITS = 8


def write_plan_report(path: Path, runs: Sequence[RunJson], title: str = "edgefm report") -> None:
    """Write the page. Raises BadInput when the file cannot be written."""
    write_file(path, plan_report(runs, title))


def plan_report(runs: Sequence[RunJson], title: str = "edgefm report") -> str:
    """The page as text; well-formed as XML too."""
    return document(title, tag("h1", title), *(_summary(run) for run in runs), _overview(runs),
                    *(_chapter(run) for run in runs))


def _summary(run: RunJson) -> Markup:
    """What one run showed, in a sentence or two."""
    plan = run["plan"]
    moved = _external(plan)
    outside = f"moves {size(moved)} of feature maps through external memory" if moved else \
        "keeps every feature map out of external memory"
    words = [f" runs in {size(plan['fast_bytes'])} of fast memory and {outside}"]
    if run.get("layer_by_layer"):
        words.append(f" (layer by layer: {size(_external(run['layer_by_layer']))})")
    words.append(".")
    judged = run.get("validate")
    if judged and judged.get("top1") is not None:
        words.append(f" It names the right class on {number(judged['top1'], 1)} % of "
                     f"{number(judged['n'])} images")
        if judged.get("float_top1") is not None:
            words.append(f", the float network on {number(judged['float_top1'], 1)} %")
        words.append(".")
    return tag("p", tag("strong", str(run["name"])), "".join(words), class_="lead")


def _external(plan: Mapping[str, Any]) -> int:
    """Feature-map bytes through the external port, both ways, per inference."""
    return int(plan["external_read_bytes"]) + int(plan["external_write_bytes"])


Figure = tuple[str, Callable[[RunJson], str]]


def _overview(runs: Sequence[RunJson]) -> Markup:
    """All runs side by side, one figure per line."""
    parts: list[tuple[str, list[Figure]]] = [
        ("Accuracy", [
            ("images", lambda run: number(_judged(run, "n"))),
            ("top-1, float", lambda run: number(_judged(run, "float_top1"), 2, " %")),
            ("top-1, int8 on our runtime", _top1),
            ("top-1, int8 on TFLite's reference",
             lambda run: number(_judged(run, "reference_top1"), 2, " %")),
            ("same top-1 as the source network",
             lambda run: number(_judged(run, "top1_agreement"), 2, " %")),
            ("KL divergence, nats", lambda run: number(_judged(run, "kl"), 5))]),
        ("Memory", [
            ("fast memory", lambda run: size(run["plan"]["fast_bytes"])),
            ("external memory", lambda run: size(run["plan"]["external_bytes"]))]),
        ("Traffic per inference", [
            ("feature maps, external", lambda run: size(_external(run["plan"]))),
            ("feature maps, layer by layer",
             lambda run: size(_external(run["layer_by_layer"]) if run.get("layer_by_layer")
                              else None)),
            ("weights read", lambda run: size(run["plan"]["weight_read_bytes"])),
            ("bits per value of coded maps",
             lambda run: number(_judged(run, "bits_per_value"), 2))]),
        ("Work", [
            ("multiply-adds", lambda run: _millions(run["plan"]["macs"])),
            ("images per second and worker",
             lambda run: number(_judged(run, "images_per_second"), 1))]),
    ]
    lines: list[Markup] = []
    for part, figures in parts:
        lines.append(tag("tr", tag("th", part, colspan=len(runs) + 1), class_="part"))
        lines += [tag("tr", tag("th", name, scope="row"),
                      *(tag("td", show(run), class_="n") for run in runs))
                  for name, show in figures]
    names = (tag("th", str(run["name"]), class_="n", scope="col") for run in runs)
    return _overview_table((tag("th"), *names), lines)


def _judged(run: RunJson, field: str) -> float | None:
    """A field of the validation, None when there was none."""
    value = (run.get("validate") or {}).get(field)
    return None if value is None else float(value)


def _top1(run: RunJson) -> str:
    """Top-1 with the standard error of a share of n images."""
    top1, n = _judged(run, "top1"), _judged(run, "n")
    if top1 is None or not n:
        return "–"
    return f"{top1:.2f} % ± {(top1 * (100 - top1) / n) ** 0.5:.2f}"


def _millions(count: float) -> str:
    return f"{count / 1e6:,.1f} million"


def _chapter(run: RunJson) -> Markup:
    """Everything about one run."""
    plan, name = run["plan"], str(run["name"])
    return tag("section", tag("h2", name), _traffic(run), _memory(plan),
               tag("h3", "Stages"), _stages(plan), _codecs(run.get("codecs")))


def _traffic(run: RunJson) -> Markup | None:
    """This plan's external bytes against layer-by-layer execution."""
    if not run.get("layer_by_layer"):
        return None
    rows = [plain(name, _external(plan), size(_external(plan)), soft) for name, plan, soft in
            (("layer by layer", run["layer_by_layer"], True), ("this plan", run["plan"], False))]
    return join(tag("h3", "Feature maps through external memory, per inference"),
                bars(rows, "External bytes, layer by layer and with this plan"))


def _memory(plan: Mapping[str, Any]) -> Markup:
    """The picture of fast memory and its table."""
    return join(tag("h3", "Fast memory over the stages"),
                tag("div", memory(plan["stages"], int(plan["fast_bytes"]))))


STAGE_COLUMNS = ("operators", "rings", "held maps", "fast memory", "read", "written",
                 "weights read")


def _stages(plan: Mapping[str, Any]) -> Markup:
    """One line per stage, sizes in bytes, and the sums of what is moved."""
    stages = plan["stages"]
    figures = [_stage_figures(i, stage) for i, stage in enumerate(stages)]
    lasts = distinct(str(stage["last"]) for stage in stages)
    rows: list[tuple[Cell, ...]] = [
        (breakable(name), breakable(lasts[str(stage["last"])]), *line)
        for name, stage, line in zip(stage_names(plan), stages, figures, strict=True)]
    sums = [sum(column) for column in zip(*figures, strict=True)] or [0] * len(STAGE_COLUMNS)
    shown = ("" if name in ("rings", "held maps", "fast memory") else value
             for name, value in zip(STAGE_COLUMNS, sums, strict=True))
    note = ("Sizes in bytes. Read and written: feature maps in external memory. Rings that are "
            "never in use together share addresses: a stage may need less than their sum.")
    return join(table(("stage", "last operator", *STAGE_COLUMNS), rows,
                      ("all stages", "", *shown)), tag("p", note, class_="note"))


def _stage_figures(index: int, stage: Mapping[str, Any]) -> list[int]:
    """The numbers of STAGE_COLUMNS."""
    rings = sum(b["bytes"] for b in stage.get("buffers", ())
                if b["first_stage"] == b["last_stage"] == index)
    held = sum(b["bytes"] for b in stage.get("buffers", ())) - rings
    return [len(stage["operators"]), rings, held, stage["fast_bytes"],
            stage["external_read_bytes"], stage["external_write_bytes"],
            stage["weight_read_bytes"]]


def _codecs(measured: Mapping[str, Any] | None) -> Markup | None:
    """Bits per value of each codec over all maps, then map by map."""
    if not measured:
        return None
    rows = sorted(measured["codecs"], key=lambda row: -float(row["bits_per_value"]))
    drawn = [plain(str(row["codec"]), float(row["bits_per_value"]),
                   _codec_caption(row), row["codec"] == "raw") for row in rows]
    names = [str(row["codec"]) for row in rows]
    return join(tag("h3", "Bits per value, all side information counted"),
                bars(drawn, "Bits per value of each codec"),
                _maps(measured.get("maps", ()), names))


def _codec_caption(row: Mapping[str, Any]) -> str:
    tables = row.get("table_bytes")
    bits = number(float(row["bits_per_value"]), 3)
    return f"{bits} bits" + (f", tables {size(tables)}" if tables else "")


def _maps(maps: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Markup | None:
    """Bits per value of every map, folded away on the screen."""
    if not maps:
        return None
    told = distinct(str(one["name"]) for one in maps)
    rows = [(breakable(told[str(one["name"])]), int(one["values"]),
             *(one["bits_per_value"].get(name) for name in names)) for one in maps]
    return folded(f"Map by map ({len(maps)})", table(("map", "values", *names), rows))


def _overview_table(header: Sequence[Markup], lines: Sequence[Markup]) -> Markup:
    """Runs side by side; on a narrow screen each figure's name gets a line of its own."""
    return tag("table", tag("thead", tag("tr", *header)), tag("tbody", *lines), class_="overview")
