# SPDX-License-Identifier: Apache-2.0
"""Recordings whose every figure is known: a load of stages, a meter, events as a device sends."""

from __future__ import annotations

import struct
from dataclasses import astuple

import numpy as np

from edgefm.package.counters import MapCounters
from host_tools.link.events import MAP_RECORD, MAPS, RUN_BEGIN, RUN_END, STAGE
from host_tools.measurement.align import ROUND_TRIP
from host_tools.recording import Column, Recorder

TICKS = 1_000_000
PLAN = {"fast_bytes": 65536, "external_bytes": 1 << 20, "macs": 1_000_000,
        "stages": [{"name": "conv <1>"}, {"name": "dw & 2"}, {"name": "head"}]}


STORED = [{"name": "map <a>", "codec": "context", "rows": 10, "row_bytes": 80},
          {"name": "map & b", "codec": "raw", "rows": 5, "row_bytes": 64},
          {"name": "pooled c", "codec": "zvc", "rows": 4, "row_bytes": 50, "pooled": True}]
CROSSED = (MapCounters(400, 800, 10, 20, 2, 0, 0), MapCounters(320, 320, 5, 5, 0, 0, 0),
           MapCounters(75, 75, 4, 4, 0, 3, 2))
BITS = (4.0, 8.0, 3.0)


def map_events(run, maps, each=2):
    """MAPS events of a run, `each` maps at a time."""
    return [MAPS.pack(5, run, first, len(maps)) + b"".join(
        MAP_RECORD.pack(*astuple(one)) for one in maps[first:first + each])
        for first in range(0, len(maps), each)]


def counted(stage, run):
    """The seven counters before a stage: external read and write, weights, input, output, coded."""
    return [1000 * stage, 500 * stage, 4000 * stage, 300 * min(stage, 1), 10 * (stage == 3),
            400 * stage, 800 * stage]


def device_events(runs, seconds, idle, latency=lambda i: 0.0, begin=0.1, first=1, saying=0.0,
                  maps=()):
    """(time s, payload) of whole runs; marks [runs, stages + 1] in s.

    The device marks, spends `saying` s on the event, and computes for a stage's seconds.
    """
    events, edges, now = [], [], begin
    for run in range(first, first + runs):
        starts = now + np.concatenate([[0], np.cumsum(np.array(seconds) + saying)])
        ticks = now + np.concatenate([[0], np.cumsum(seconds)])
        events.append((now - 0.001, RUN_BEGIN.pack(1, run, round(now * TICKS), len(seconds),
                                                   b"\x11" * 8)))
        for stage, at in enumerate(starts):
            events.append((at + saying, STAGE.pack(2, run, stage, round(ticks[stage] * TICKS),
                                          *counted(stage, run))))
        events += [(starts[-1] + saying + 5e-5, one) for one in map_events(run, maps)]
        events.append((starts[-1] + saying + 1e-4, RUN_END.pack(
            3, run, 0, round(sum(seconds) * TICKS), 60_000, *counted(len(seconds), run), 12, 3,
            b"\x22" * 32)))
        edges.append(starts)
        now = starts[-1] + saying + idle
    late = np.maximum.accumulate([at + latency(i) for i, (at, _) in enumerate(events)])
    return [(float(at), payload) for at, (_, payload) in zip(late, events, strict=True)], \
        np.array(edges)


def record_run(folder, runs=3, seconds=(0.02, 0.05, 0.01), amperes=(0.02, 0.005, 0.03), idle=0.03,
               rate=10_000, markers=True, round_trip=0.002, latency=0.001, noise=0.0, lost=0.0,
               meta=None, volts=3.3, jitter=0.0, extra=(), rails=("VDD",), saying=0.0,
               maps=()):
    """Record it; returns marks [runs, stages + 1] and charge (C) of each stage.

    The meter samples evenly; its input 0 toggles at each edge.
    """
    random = np.random.default_rng(7)
    events, edges = device_events(runs, seconds, idle,
                                  lambda i: latency + jitter * random.random(), saying=saying,
                                  maps=maps)
    flat = edges.ravel()
    count = round((flat[-1] + 0.1) * rate)
    times = (np.arange(count) + 0.5) / rate
    which = np.searchsorted(flat, times, side="right")  # edges passed
    level = np.concatenate([np.append(amperes, 0.001)] * runs)
    current = np.where(which == 0, 0.001, level[np.maximum(which - 1, 0)])
    since = times - flat[np.maximum(which - 1, 0)]
    current = np.where((which > 0) & (since < saying), 0.001, current)
    current = current + noise * random.standard_normal(count)
    keep = random.random(count) >= lost
    keep[[0, -1]] = True
    columns = []
    for rail in rails:
        at = len(columns)
        columns += [Column(rail, "amperes", 1e-9), Column(rail, "volts", 1e-3),
                    Column(rail, "watts", product=(at, at + 1))]
    columns += [Column("inputs", "digital")] if markers else []
    with Recorder(folder, {"run": {"command": "run :net.efm cat.jpg"},
                           "device": {"board": "sim <b>", "build": "0011223344556677",
                                      "unit": "us", "ticks_per_second": TICKS},
                           "model": {"name": "net", "plan": PLAN}, **(meta or {})}) as recorder:
        meter = recorder.samples("ppk2", columns, rate)
        index = np.flatnonzero(keep)
        for at in range(0, count, 5000):
            mine = index[(index >= at) & (index < at + 5000)]
            behind = np.append(mine[1:], at + min(5000, count - at))
            gaps = [(0, int(mine[0] - at))] if mine[0] > at else []
            gaps += [(int(i) + 1, int(step) - 1) for i, step in enumerate(behind - mine)
                     if step > 1]
            values = [v for _ in rails for v in (current[mine], np.full(len(mine), volts))]
            values += [which[mine] & 1] if markers else []
            meter.append(values, round(times[mine[0]] * 1e9), round(times[mine[-1]] * 1e9), gaps)
        device = recorder.events("device")
        for at, payload in sorted([*events, *extra], key=lambda event: event[0]):
            device.append(round(at * 1e9), payload)
        if round_trip is not None:
            clock = recorder.events("clock")
            for at in (0.01, 0.02, 0.03):
                start = round(at * 1e9)
                clock.append(start, ROUND_TRIP.pack(start, -1, start + round(round_trip * 1e9)))
    return edges, [s * a for s, a in zip(seconds, amperes, strict=True)]


UNKNOWN_EVENT = struct.pack("<B5s", 99, b"hello")
