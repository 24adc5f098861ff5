# SPDX-License-Identifier: Apache-2.0
"""What runs now as a compact table of text, drawn over itself on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from edgefm.console.terminal import plain
from edgefm.html.markup import number, size
from host_tools.outputs.report.words import amount

MOST_STAGES = 12
MOST_MAPS = 8
OTHERS = 8  # lines at most besides those of stages and maps: heads, the whole run, what is left out
NAME = 28


def lines(state: Mapping[str, Any], width: int = 100, height: int = 50) -> list[str]:
    """The table of a state (`Follower.look`), at most `height` lines, none longer than `width`."""
    shown = [_head(state)]
    last = state["last"]
    if last is None:
        shown.append("waiting for the first whole run")
    else:
        shown.append(f"{'stage':{NAME}} {'time':>14} {'maps read':>12} {'written':>12} "
                     f"{'weights':>12} {'bits/value':>10}")
        problems = min(3, len(state["problems"]))
        room = max(2, height - OTHERS - problems)
        most = min(MOST_STAGES, max(1, room // 2 if last["maps"] else room))
        slowest = sorted(range(len(last["stages"])), key=lambda i: -last["stages"][i]["ticks"])
        shown += [_stage(state, last["stages"][i]) for i in sorted(slowest[:most])]
        if len(slowest) > most:
            shown.append(f"({len(slowest) - most} quicker stages not shown)")
        used = min(most, len(slowest))
        shown += [_stage(state, last["total"]), *_maps(last, min(MOST_MAPS, room - used))]
    shown += [f"! {problem}" for problem in state["problems"][-3:]]
    return [plain(line)[:width] for line in shown[:height]]


def _head(state: Mapping[str, Any]) -> str:
    parts = [f"{state['board'] or 'device'}: {state['network'] or 'no network yet'}",
             f"{number(state['runs'])} runs"]
    if state["failed"]:
        parts.append(f"{state['failed']} failed")
    if state["last"]:
        parts.append(f"fast memory {size(state['last']['high_water'])}"
                     + (f" of {size(state['fast_bytes'])}" if state["fast_bytes"] else ""))
    parts += [f"{now['rail']} {amount(now['mean'], now['unit'])}" for now in state["now"]
              if now["mean"] is not None]
    lost = sum(meter["lost"] for meter in state["meters"])
    if lost:
        parts.append(f"{number(lost)} samples lost")
    return ", ".join(parts)


def _stage(state: Mapping[str, Any], stage: Mapping[str, Any]) -> str:
    time = amount(stage["seconds"], "s") if stage["seconds"] is not None else \
        f"{stage['ticks']:,} {'ins' if state['unit'] == 'instructions' else state['unit']}"
    bits = f"{8 * stage['coded_bytes'] / stage['coded_values']:.2f}" if stage["coded_values"] \
        else "–"
    return (f"{_name(stage['name'])} {time:>14} {stage['external_read_bytes']:>12,} "
            f"{stage['external_write_bytes']:>12,} {stage['weight_read_bytes']:>12,} {bits:>10}")


def _maps(last: Mapping[str, Any], room: int) -> list[str]:
    """The stored maps that move most, in their order."""
    maps = last["maps"]
    if not maps:
        return [last["no_maps"]] if last["no_maps"] else []
    shown = [f"{'stored map':{NAME}} {'codec':>14} {'read':>12} {'written':>12} {'raw':>12} "
             f"{'bits/value':>10}"]
    moved = [one["read_bytes"] + one["write_bytes"] for one in maps]
    most = sorted(range(len(maps)), key=lambda i: -moved[i])[:room]
    shown += [_map(maps[i]) for i in sorted(most)]
    if len(maps) > room:
        shown.append(f"({len(maps) - room} maps that move less not shown)")
    return shown


def _map(one: Mapping[str, Any]) -> str:
    bits = "–" if one["bits_per_value"] is None else f"{one['bits_per_value']:.2f}"
    return (f"{_name(one['name'])} {one['codec'][:14]:>14} {one['read_bytes']:>12,.0f} "
            f"{one['write_bytes']:>12,.0f} {one['raw_bytes']:>12,} {bits:>10}")


def _name(name: object) -> str:
    text = str(name)
    return f"{text if len(text) <= NAME else '…' + text[1 - NAME:]:{NAME}}"


class Drawer:
    """Draws tables over each other on a terminal; elsewhere prints a first line that is new."""

    def __init__(self, out: IO[str]) -> None:
        self._out, self._height, self._said = out, 0, ""

    def draw(self, state: Mapping[str, Any], width: int, height: int = 30) -> None:
        """Show a state in a terminal of this size."""
        shown = lines(state, width - 1, max(2, height - 1))
        if self._out.isatty():
            up = f"\x1b[{self._height}A" if self._height else ""
            self._out.write(up + "".join(f"\x1b[2K{line}\n" for line in shown) + "\x1b[J")
            self._height = len(shown)
        elif shown[0] != self._said:
            self._said = shown[0]
            self._out.write(f"{shown[0]}\n")
        self._out.flush()
