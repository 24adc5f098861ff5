# SPDX-License-Identifier: Apache-2.0
"""What a report of a long recording takes: time to write it, its size, time until it is shown.

The recording is made up: a meter of one rail and eight digital inputs at 100,000 samples per
second, and a device that runs a network of 24 stages again and again, its stages marked on an
input. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from _common import print_command, print_table  # noqa: E402
from browser import Browser, find_browser  # noqa: E402

from host_tools.link.events import RUN_BEGIN, RUN_END, STAGE  # noqa: E402
from host_tools.outputs.report.page import chapter, write_page  # noqa: E402
from host_tools.recording import Column, Recorder, Recording  # noqa: E402

RATE = 100_000
STAGES = 24
RUN_SECONDS = 0.1
TICKS = 1_000_000
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def main() -> None:
    """Record, report, open, print."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the recording")
    options = parser.parse_args()
    program = find_browser()
    if program is None:
        raise SystemExit("benchmarks/report.py: needs Chromium: apt-get install chromium")
    print_command()
    with tempfile.TemporaryDirectory() as folder:
        run, page = Path(folder) / "run", Path(folder) / "report.html"
        record(run, options.seconds)
        disk = int(subprocess.check_output(["du", "-sb", run]).split()[0])
        began = time.process_time()
        with Recording(run) as recording:
            write_page(page, [chapter(recording)], "A long recording")
        wrote = time.process_time() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with Browser(program) as browser:
            opened = []
            for _ in range(5):
                browser.open(page.as_uri())
                browser.wait_for(f"{LOADED} > 0 && document.title === 'A long recording'")
                opened.append(browser.value(LOADED) / 1000)
            errors = browser.errors
        shutil.rmtree(run)
        print_table(("recorded s", "recording, bytes", "writing the report, s of one core",
                     "memory, MiB", "report, bytes", "median s until the browser has it",
                     "complaints"),
                    [(options.seconds, disk, wrote, memory, page.stat().st_size,
                      sorted(opened)[2], len(errors))])


def record(folder: Path, seconds: float) -> None:
    """Write the recording; power differs by stage."""
    random = np.random.default_rng(1)
    plan = {"fast_bytes": 96 << 10, "external_bytes": 1 << 20, "macs": 300_000_000,
            "external_read_bytes": 24 * 4000, "external_write_bytes": 24 * 2000,
            "stages": [{"name": f"stage {i}", "external_read_bytes": 4000,
                        "external_write_bytes": 2000, "fast_bytes": 60_000 + 1000 * i}
                       for i in range(STAGES)]}
    meta = {"run": {"command": json.dumps("run :net.efm")}, "model": {"name": "net", "plan": plan},
            "device": {"board": "made up", "unit": "us", "ticks_per_second": TICKS}}
    edge = RUN_SECONDS / (STAGES + 4)
    with Recorder(folder, meta) as recorder:
        meter = recorder.samples("ppk2", [
            Column("VDD", "amperes", 1e-8), Column("VDD", "volts", 1e-3),
            Column("VDD", "watts", product=(0, 1)), Column("inputs", "digital")], RATE)
        device = recorder.events("device")
        per_run = round(RUN_SECONDS * RATE)
        phase = (np.arange(per_run) + 0.5) / RATE / edge
        stage = np.floor(phase).astype(int)
        load = np.where(stage < STAGES, 0.01 + 0.002 * (stage % 7), 0.001)
        toggles = np.minimum(stage, STAGES) + 1
        for number in range(int(seconds / RUN_SECONDS)):
            at = number * RUN_SECONDS
            marks = (toggles + number * (STAGES + 1)) & 1
            noise = 1e-4 * random.standard_normal(per_run)
            meter.append([load + noise, np.full(per_run, 3.3), marks], round(at * 1e9),
                         round((at + RUN_SECONDS - 1 / RATE) * 1e9))
            _run(device, number, at, edge)


def _run(device: object, number: int, at: float, edge: float) -> None:
    def append(time_s: float, payload: bytes) -> None:
        device.append(round(time_s * 1e9), payload)  # type: ignore[attr-defined]

    append(at, RUN_BEGIN.pack(1, number, round(at * TICKS), STAGES, b"\x11" * 8))
    for i in range(STAGES + 1):
        append(at + i * edge, STAGE.pack(2, number, i, round((at + i * edge) * TICKS), 2500 * i,
                                         1200 * i, 150_000 * i, 6000 * i, 0, 3700 * i, 6000 * i))
    i = STAGES
    append(at + (i + 1) * edge, RUN_END.pack(
        3, number, 0, round(i * edge * TICKS), 90_000, 2500 * i, 1200 * i, 150_000 * i, 6000 * i,
        1001, 3700 * i, 6000 * i, 500, 0, b"\x22" * 32))


if __name__ == "__main__":
    main()
