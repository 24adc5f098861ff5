# SPDX-License-Identifier: Apache-2.0
"""Record what a device says and a meter measures while the device does something."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgefm.console.command import patient
from edgefm.errors import BadInput, BadMessage
from edgefm.files.write import check_file
from edgefm.package.read import PackageInfo
from edgefm.package.traffic import stored_maps
from host_tools.link.device import Device
from host_tools.link.events import read_event
from host_tools.link.session import Event
from host_tools.measurement.align import ROUND_TRIP
from host_tools.power.meter import Meter
from host_tools.power.meters import MeterRecording
from host_tools.recording.files import pack
from host_tools.recording.recorder import Recorder, check_new

ROUND_TRIPS = 8         # measured before and after
QUIET_SECONDS = 0.2     # of the meter alone, before and after
Complain = Callable[[str], None]


def check_target(target: Path, inputs: Sequence[Path] = ()) -> None:
    """Raises BadInput where no recording can be made: `target` is not a new folder or .zip."""
    check_new(_folder(target))
    if _folder(target) != target:
        check_file(target, inputs)
        if target.exists():
            raise BadInput(f"{target}: exists already; expected a new name")


def _folder(target: Path) -> Path:
    """Where the files of a recording are while it grows."""
    zipped = target.suffix.lower() == ".zip"
    return target.with_name(f"{target.name}.recording") if zipped else target


class RunRecorder:
    """A recording of one device and at most one meter; a context manager.

    `target` is a new folder, or a .zip that is packed at the end. `complain` is told what went
    wrong on the way without ending the recording.
    """

    def __init__(self, target: Path, meta: Mapping[str, Any], meter: Meter | None = None,
                 complain: Complain = lambda text: None) -> None:
        self.target = target
        folder = _folder(target)
        self._zip = folder != target
        self._complain, self._unknown = complain, False
        try:
            check_target(target)
            self.recorder = Recorder(folder, meta)
        except BaseException:
            if meter:
                meter.close()
            raise
        self._device = self.recorder.events("device")
        self._clock = self.recorder.events("clock")
        self._meter = MeterRecording(meter, self.recorder, complain) if meter else None

    def __enter__(self) -> Self:
        try:
            if self._meter:
                self._meter.start()
                time.sleep(QUIET_SECONDS)
        except BaseException:
            if self._meter:
                self._meter.meter.close()
            self.recorder.close("stopped: the meter did not start")
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._meter:
            if kind is None:
                time.sleep(QUIET_SECONDS)
            self._meter.stop()
        self.recorder.__exit__(kind, error, trace)
        if self.recorder.failed:
            self._complain(f"{self.recorder.folder}: recording ended early: "
                           f"{getattr(self.recorder.failed, 'strerror', self.recorder.failed)}")
        if self._zip:
            self._pack()

    def _pack(self) -> None:
        """Make the zip of the folder; where that fails, the folder stays. Raises BadInput."""
        try:
            with patient():
                pack(self.recorder.folder, self.target)
        except BadInput as error:
            raise BadInput(f"{error}; the recording is in {self.recorder.folder}") from None
        shutil.rmtree(self.recorder.folder)

    def watch(self, device: Device) -> None:
        """Record a device's events from now on, after what it says of itself."""
        info = device.info
        self.recorder.set("device", {
            "board": info.board, "build": info.build.hex(), "line": device.name,
            "unit": info.unit, "ticks_per_second": info.ticks_per_second,
            "bytes_per_second": device.bytes_per_second, "fast_bytes": info.fast_bytes,
            "external_bytes": info.external_bytes, "counts_maps": device.counts_maps,
            "known": True})
        self.measure_link(device)
        device.watch(self.take)

    def measure_link(self, device: Device) -> None:
        """Measure some round trips: half of the shortest is how late events may be."""
        for _ in range(ROUND_TRIPS):
            before, after = (at - self.recorder.origin for at in device.round_trip())
            self._clock.append(after, ROUND_TRIP.pack(before, -1, after))

    def take(self, event: Event) -> None:
        """Record an event, whatever is in it."""
        self._device.append(self.recorder.now(), event.payload, event.missed)
        if not self._unknown:
            self._check(event)

    def describe_model(self, info: PackageInfo, sha256: str) -> None:
        """Say which package runs."""
        self.recorder.set("model", {
            "name": info.name, "model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256,
            "package_sha256": sha256, "plan": info.plan,
            "maps": [asdict(one) for one in stored_maps(info)],
            "codecs": sorted({str(one.get("codec")) for one in info.plan.get("maps", [])})})

    def _check(self, event: Event) -> None:
        try:
            read_event(event.payload)
        except BadMessage as error:
            self._unknown = True
            device = dict(self.recorder.meta.get("device") or {})
            self.recorder.set("device", {**device, "known": False})
            self._complain(f"{error}: this edgefm does not know this firmware (build "
                           f"{device.get('build', 'unknown')}); its events are recorded as they "
                           "are")
