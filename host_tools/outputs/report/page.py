# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page about one or more recordings, side by side.

Opens from disk, loads nothing, prints. Names out of a recording are escaped; the only script sorts
tables, and the page's policy names its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from edgefm.console.names import distinct, short
from edgefm.files.write import write_file
from edgefm.html.arena import memory
from edgefm.html.bars import bars, plain
from edgefm.html.document import document
from edgefm.html.markup import Markup, breakable, join, number, size, tag
from edgefm.package.traffic import MapTraffic
from host_tools.measurement.about import mapping, recorded_maps, whole_number
from host_tools.measurement.align import align
from host_tools.measurement.costs import Costs
from host_tools.measurement.summary import (
    MEASURED,
    MODELED,
    StageSummary,
    Summary,
    bits,
    summarize,
)
from host_tools.outputs.report import charts
from host_tools.outputs.report.script import SCRIPT
from host_tools.outputs.report.words import (
    accuracy,
    difference,
    images,
    lead,
    points,
    ticks,
    with_error,
)
from host_tools.recording.channels import SampleChannel
from host_tools.recording.reader import Recording

MOST_BANDS = 120   # stages drawn over the whole recording
MOST_GAPS = 400
LOOKS = """
svg .shade { fill: var(--bar); fill-opacity: .3; } svg .mean { fill: none; stroke: var(--bar); }
svg .band { fill: var(--soft); fill-opacity: .07; } svg .band1 { fill-opacity: .17; }
svg .gap { fill: var(--map); fill-opacity: .55; }
table.sortable thead th { cursor: pointer; } th[aria-sort=ascending]::after { content: " ▲"; }
th[aria-sort=descending]::after { content: " ▼"; }
.problem { border-left: 4px solid var(--map-line); padding-left: .8rem; }
table.dense { font-size: .8rem; } table.dense td.n { padding-left: .7rem; }
thead th.id { font-family: ui-monospace, monospace; font-size: .68rem; max-width: 8.5rem; }
"""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One recording's part of the page."""

    summary: Summary
    body: Markup


def chapter(recording: Recording, costs: Costs | None = None, meter: str | None = None,
            validation: Mapping[str, Any] | None = None) -> Chapter:
    """Everything about one recording; needs it open. Raises BadInput for an unknown meter."""
    summary = summarize(recording, costs, meter, validation)
    body = tag("section", tag("h2", summary.name), _problems(summary), _facts(summary),
               _power(recording, summary), _traffic(summary), _memory(summary), _stages(summary),
               _energy(summary), _maps(summary))
    return Chapter(summary, body)


def write_page(path: Path, chapters: Sequence[Chapter], title: str) -> None:
    """Write the page. Raises BadInput when the file cannot be written."""
    write_file(path, page(chapters, title))


def page(chapters: Sequence[Chapter], title: str = "edgefm recording") -> str:
    """The page as text; well-formed as XML but for its script."""
    summaries = [one.summary for one in chapters]
    return document(title, tag("h1", title), *map(_lead, summaries), _overview(summaries),
                    _maps_overview(summaries), *(one.body for one in chapters),
                    looks=LOOKS, script=SCRIPT)


def _lead(summary: Summary) -> Markup:
    return tag("p", tag("strong", summary.name), f": {lead(summary)}", class_="lead")


Figure = tuple[str, Callable[[Summary], str]]
FIGURES: Sequence[tuple[str, Sequence[Figure]]] = (
    ("What ran", (
        ("board", lambda s: str(mapping(s.meta.get("device")).get("board", "–"))),
        ("network", lambda s: breakable(short(str(mapping(s.meta.get("model")).get("name", "–"))))),
        ("codecs", lambda s: _codecs(s)),
        ("whole runs", lambda s: number(s.runs)))),
    ("Per inference", (
        ("time", lambda s: ticks(s, s.total)),
        ("energy", lambda s: _joined(s.total)),
        ("feature maps, external, coded", lambda s: size(_external(s))),
        ("feature maps, external, raw", lambda s: size(_raw(s.total))),
        ("bits per value of coded maps", lambda s: number(s.bits_per_value, 2)),
        ("weights read", lambda s: size(s.total.moved["weight_read_bytes"] if s.total else None)))),
    ("Memory", (
        ("fast memory, planned", lambda s: size(whole_number(s.plan.get("fast_bytes")))),
        ("fast memory, high water", lambda s: size(s.high_water)),
        ("external memory", lambda s: size(whole_number(s.plan.get("external_bytes")))))),
    ("Accuracy, with 95 % confidence intervals", (
        ("pictures", images),
        ("this package", accuracy),
        ("reference", lambda s: accuracy(s, "reference_")),
        ("difference, paired", difference),
        ("KL divergence, nats", lambda s: number(points(s, "kl"), 5)))),
)


def _overview(summaries: Sequence[Summary]) -> Markup:
    """All recordings side by side, one figure per line."""
    lines: list[Markup] = []
    for part, figures in FIGURES:
        if part.startswith("Accuracy") and not any(one.validation for one in summaries):
            continue
        lines.append(tag("tr", tag("th", part, colspan=len(summaries) + 1), class_="part"))
        lines += [tag("tr", tag("th", name, scope="row"),
                      *(tag("td", show(one), class_="n") for one in summaries))
                  for name, show in figures]
    names = (tag("th", one.name, class_="n", scope="col") for one in summaries)
    table = tag("table", tag("thead", tag("tr", tag("th"), *names)), tag("tbody", *lines),
                class_="overview")
    return tag("div", table, class_="wide")


def _codecs(summary: Summary) -> str:
    named = mapping(summary.meta.get("model")).get("codecs")
    return ", ".join(map(str, named)) if isinstance(named, list) and named else "–"


def _joined(stage: StageSummary | None) -> str:
    return "; ".join(f"{one.rail}: {with_error(one.amount, one.unit)}" for one in stage.energy) \
        if stage else "–"


def _external(summary: Summary) -> float | None:
    if summary.total is None:
        return None
    moved = summary.total.moved
    return moved["external_read_bytes"] + moved["external_write_bytes"]


def _raw(stage: StageSummary | None) -> float | None:
    known = stage is not None and stage.raw_read is not None and stage.raw_write is not None
    return stage.raw_read + stage.raw_write if stage and known else None  # type: ignore[operator]


def _problems(summary: Summary) -> Markup | None:
    said = list(summary.problems)
    if summary.failed:
        said.append(f"{summary.failed} runs ended with an error and are left out")
    if summary.missed:
        said.append(f"{summary.missed} events were lost on the line; runs that lack one are left "
                    "out")
    if len(summary.outputs) > 1:
        said.append(f"the runs gave {len(summary.outputs)} different outputs")
    if not summary.runs:
        said.append("no run was recorded whole: nothing can be said of stages")
    return tag("div", *(tag("p", line) for line in said), class_="problem") if said else None


def _facts(summary: Summary) -> Markup:
    run = mapping(summary.meta.get("run")).get("command")
    device = mapping(summary.meta.get("device"))
    words = [f"Recorded {summary.meta.get('started', 'at an unknown time')}"]
    if run:
        words.append(f": {run}")
    if device.get("build"):
        words.append(f"; firmware build {device['build']}")
    if device.get("known") is False:
        words.append(", which this edgefm does not know: its events are kept as they came")
    return tag("p", "".join(map(str, words)), ".", class_="note")


# -- power ----------------------------------------------------------------------------------------

def _power(recording: Recording, summary: Summary) -> Markup | None:
    """All of it, then one run: the shortest, so that nothing but the network is in it."""
    if not recording.samples:
        return None
    name = summary.energy_source if summary.energy_kind == MEASURED else next(
        iter(recording.samples))
    channel = recording.samples[name]
    found = [(i, c.rail, "W") for i, c in enumerate(channel.columns) if c.quantity == "watts"] or \
        [(i, c.rail, "A") for i, c in enumerate(channel.columns) if c.quantity == "amperes"]
    if channel.span is None or not found:
        return tag("p", f"{name}: nothing was measured.", class_="note")
    stages = align(recording, channel)
    names = [stage.name for stage in summary.stages]
    bands = [charts.Band(float(a), float(b), names[n] if n < len(names) else f"stage {n}")
             for a, b, n in zip(stages.start, stages.stop, stages.stage, strict=True)]
    drawn = [tag("h3", f"Power, measured with {name}")]
    for column, rail, unit in found:
        drawn.append(_chart(channel, column, rail, unit, channel.span, bands))
    window = _one_run(stages.run, stages.start, stages.stop)
    if window:
        drawn.append(tag("h3", "One run"))
        for column, rail, unit in found:
            drawn.append(_chart(channel, column, rail, unit, window, bands))
    note = (f"{channel.count:,} samples, {channel.lost:,} lost"
            + (f"; the meter ended: {channel.ended}" if channel.ended else "")
            + f". Stages on the meter's clock {summary.alignment}.")
    return join(*drawn, tag("p", note, class_="note"))


def _chart(channel: SampleChannel, column: int, rail: str, unit: str, window: tuple[float, float],
           bands: Sequence[charts.Band]) -> Markup:
    start, stop = window
    expected = (stop - start) * (channel.count / max(channel.span[1] - channel.span[0], 1e-9)
                                 if channel.span else 0)
    drawn = channel.envelope(column, start, stop,
                             buckets=max(2, min(charts.BUCKETS, int(expected / 2))))
    inside = [band for band in bands if band.stop > start and band.start < stop]
    missing = list(islice(channel.gaps(start, stop), MOST_GAPS))
    return charts.power(drawn, unit, f"{rail} over time", inside[:MOST_BANDS]
                        if len(inside) <= MOST_BANDS else (), missing)


def _one_run(run: np.ndarray, start: np.ndarray, stop: np.ndarray) -> tuple[float, float] | None:
    """Begin and end (s) of the shortest run."""
    windows = [(float(start[run == r].min()), float(stop[run == r].max())) for r in np.unique(run)]
    windows = [(a, b) for a, b in windows if b > a]
    return min(windows, key=lambda w: w[1] - w[0]) if windows else None


# -- bytes and memory ------------------------------------------------------------------------------

def _traffic(summary: Summary) -> Markup | None:
    total = summary.total
    if total is None:
        return None
    moved = total.moved
    rows = []
    for name, raw, key in (("maps read", total.raw_read, "external_read_bytes"),
                           ("maps written", total.raw_write, "external_write_bytes")):
        if raw is not None and raw != moved[key]:
            rows.append(plain(f"{name}, raw", raw, size(raw), True))
        rows.append(plain(f"{name}, coded" if raw not in (None, moved[key]) else name, moved[key],
                        size(moved[key])))
    rows += [plain("weights read", moved["weight_read_bytes"], size(moved["weight_read_bytes"])),
             plain("input rows", moved["input_read_bytes"], size(moved["input_read_bytes"]))]
    return join(tag("h3", "Bytes per inference, counted on the device"),
                bars(rows, "Bytes through each memory"))


def _memory(summary: Summary) -> Markup | None:
    """The planned arena over the stages, where the recording holds the plan."""
    fast = whole_number(summary.plan.get("fast_bytes"))
    stages = summary.plan.get("stages")
    if not fast or not isinstance(stages, list) or not all(
            isinstance(mapping(stage).get("buffers"), list) for stage in stages):
        return None
    high = "" if summary.high_water is None else \
        f" The device touched {number(summary.high_water)} of {number(fast)} bytes."
    return join(tag("h3", "Fast memory over the stages"),
                tag("div", memory(stages, fast)),
                tag("p", f"As planned.{high}", class_="note"))


COLUMNS = ("inference_time", "dram_feature_map_read_bytes_raw",
           "dram_feature_map_read_bytes_coded", "dram_feature_map_write_bytes_raw",
           "dram_feature_map_write_bytes_coded", "off_chip_flash_weight_read_bytes",
           "sram_memory_used")


def _stages(summary: Summary) -> Markup | None:
    """A line per stage in Vela's words, then the whole run."""
    if summary.total is None:
        return None
    rails = [one.rail if summary.energy_kind == MEASURED else MODELED
             for one in summary.stages[0].energy] if summary.stages else []
    heads = [tag("th", "#"), tag("th", "stage"),
             *(tag("th", name.replace("_", "_\u200b"), class_="n id") for name in COLUMNS),
             *(tag("th", f"energy, {rail}", class_="n") for rail in rails)]
    lines = [_stage_line(summary, stage, len(rails)) for stage in summary.stages]
    lines.append(_stage_line(summary, summary.total, len(rails)))
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *lines),
                class_="sortable dense")
    note = (f"Means over {summary.runs} runs; time in {summary.unit}. Bytes: coded is what "
            "crossed, raw what the plan would move uncoded. Energy: "
            + ("an integral of the measured power, ± its uncertainty."
               if summary.energy_kind == MEASURED else
               f"{MODELED} from bytes with published costs ({summary.energy_source}); nothing "
               "was measured. The whole run also counts multiply-adds."))
    return join(tag("h3", "Stages"), tag("div", table, class_="wide"),
                tag("p", note, class_="note"))


def _stage_line(summary: Summary, stage: StageSummary, rails: int) -> Markup:
    moved = stage.moved
    values = (stage.raw_read, moved["external_read_bytes"], stage.raw_write,
              moved["external_write_bytes"], moved["weight_read_bytes"], stage.fast_bytes)
    time = tag("td", ticks(summary, stage), class_="n", data_value=stage.ticks.value)
    cells = [tag("td", number(value), class_="n", data_value="" if value is None else value)
             for value in values]
    energy = [tag("td", with_error(one.amount, one.unit), class_="n",
                  data_value=one.amount.value) for one in stage.energy[:rails]]
    number_shown = "" if stage.number < 0 else stage.number
    return tag("tr", tag("td", number_shown, data_value=number_shown),
               tag("td", breakable(stage.name), class_="name"), time, *cells, *energy,
               class_="sum" if stage.number < 0 else None)


def _energy(summary: Summary) -> Markup | None:
    """Bars of each rail's stages."""
    drawn = []
    for at in range(len(summary.stages[0].energy) if summary.stages else 0):
        rail = summary.stages[0].energy[at]
        rows = [plain(stage.name, max(stage.energy[at].amount.value, 0.0),
                    with_error(stage.energy[at].amount, rail.unit)) for stage in summary.stages]
        drawn.append(bars(rows, f"Energy of each stage, {rail.rail}"))
    if not drawn:
        return None
    kind = f"measured with {summary.energy_source}" if summary.energy_kind == MEASURED else \
        f"{MODELED}, not measured"
    return join(tag("h3", f"Energy per stage, {kind}"), *drawn)


MAP_HEADS = ("codec", "rows", "raw bytes", "bytes written", "bytes read", "bits per value",
             "rows stored raw")
CAP_HEADS = ("rows made coarser", "bits lost at most")


def _maps(summary: Summary) -> Markup | None:
    """Stored maps: as planned, what crossed for each, and bits per value as bars."""
    described = recorded_maps(summary.meta)
    if not described:
        return None
    if summary.maps:
        return join(tag("h3", "Stored maps"), _map_table(summary.maps),
                    tag("p", MAP_NOTE, class_="note"), _map_bars(summary.maps))
    told = distinct(one.name for one in described)
    lines = [tag("tr", tag("td", breakable(told[one.name]), class_="name"), tag("td", one.codec),
                 _figure(one.rows), _figure(one.bytes)) for one in described]
    return join(tag("h3", "Stored maps"), _sortable(("map", *MAP_HEADS[:3]), lines),
                tag("p", summary.no_maps, class_="note"), _stage_bars(summary))


MAP_NOTE = ("Means over the runs, counted on the device: what crossed into external memory or the "
            "page pool, and back for all readers of the map. Bits per value are those of both ways "
            "together.")


def _map_table(maps: Sequence[MapTraffic]) -> Markup:
    capped = any(one.capped_rows for one in maps)
    lines, told = [], distinct(one.name for one in maps)
    for one in maps:
        figures = [_figure(one.rows), _figure(one.raw_bytes), _figure(one.write_bytes),
                   _figure(one.read_bytes), _figure(one.bits_per_value, 2), _figure(one.raw_rows)]
        if capped:
            figures += [_figure(one.capped_rows), _figure(one.largest_shift)]
        codec = f"{one.codec}, page pool" if one.pooled else one.codec
        lines.append(tag("tr", tag("td", breakable(told[one.name]), class_="name"),
                         tag("td", codec), *figures))
    crossed = sum(one.write_bytes + one.read_bytes for one in maps)
    values = sum(one.values for one in maps)
    sums = [_figure(None), *(_figure(sum(getattr(one, name) for one in maps))
                             for name in ("raw_bytes", "write_bytes", "read_bytes")),
            _figure(8 * crossed / values if values else None, 2),
            _figure(sum(one.raw_rows for one in maps))]
    if capped:
        sums += [_figure(sum(one.capped_rows for one in maps)),
                 _figure(max(one.largest_shift for one in maps))]
    lines.append(tag("tr", tag("td", "all maps"), tag("td"), *sums, class_="sum"))
    return _sortable(("map", *MAP_HEADS, *(CAP_HEADS if capped else ())), lines)


def _map_bars(maps: Sequence[MapTraffic]) -> Markup | None:
    if all(one.codec == "raw" for one in maps):
        return None
    told = distinct(one.name for one in maps)
    drawn = [plain(told[one.name], one.bits_per_value, f"{one.bits_per_value:.2f} bits",
                 one.codec == "raw") for one in maps if one.bits_per_value is not None]
    return join(tag("h3", "Bits per value of each stored map"),
                bars(drawn, "Bits per value of each stored map"))


def _stage_bars(summary: Summary) -> Markup | None:
    """Where single maps are not counted: what each stage moved coded, whatever the map."""
    coded = [plain(stage.name, found, f"{found:.2f} bits") for stage in summary.stages
             if (found := bits(stage.moved)) is not None]
    return join(tag("h3", "Bits per value of the coded maps that each stage reads and writes"),
                bars(coded, "Bits per value")) if coded else None


def _maps_overview(summaries: Sequence[Summary]) -> Markup | None:
    """Bits per value of every map that some recording stores, recordings side by side."""
    if len(summaries) < 2 or not any(one.maps for one in summaries):
        return None
    found = [{one.name: one for one in summary.maps} for summary in summaries]
    names = dict.fromkeys(name for maps in found for name in maps)
    told = distinct(names)
    lines = [tag("tr", tag("td", breakable(told[name]), class_="name"),
                 *(_figure(maps[name].bits_per_value if name in maps else None, 2)
                   for maps in found)) for name in names]
    lines.append(tag("tr", tag("td", "all coded maps"),
                     *(_figure(one.bits_per_value, 2) for one in summaries), class_="sum"))
    return join(tag("h3", "Bits per value of each stored map"),
                _sortable(("map", *(one.name for one in summaries)), lines, words=1),
                tag("p", "A dash: the map is not stored there, or was not counted.",
                    class_="note"))


def _figure(value: float | None, digits: int = 0) -> Markup:
    """A cell with a number that sorts as one."""
    return tag("td", number(value, digits), class_="n", data_value="" if value is None else value)


def _sortable(heads: Sequence[str], lines: Sequence[Markup], words: int = 2) -> Markup:
    """A table whose first `words` columns are text, the others numbers."""
    head = tag("tr", *(tag("th", name, class_=None if at < words else "n")
                       for at, name in enumerate(heads)))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *lines), class_="sortable"),
               class_="wide")
