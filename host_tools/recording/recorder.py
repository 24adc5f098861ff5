# SPDX-License-Identifier: Apache-2.0
"""Write a recording while it happens: a process that is killed loses at most the last second.

    with Recorder(Path("run1"), {"run": {"command": "…"}}) as recorder:
        power = recorder.samples("ppk2", [Column("VDD", "amperes", 1e-9)], rate=100_000)
        device = recorder.events("device")
        power.append([amperes], start_ns, end_ns)
        device.append(recorder.now(), payload)

Times are ns since the recorder was made; `recorder.now()` reads that clock, and
`recorder.origin` is time.monotonic_ns() at its zero. Writers may be used from any thread.
"""

from __future__ import annotations

import json
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from edgefm.errors import BadInput
from edgefm.files.write import check_folder, make_folder, write_file
from host_tools.recording import chunks
from host_tools.recording.chunks import Column, Json
from host_tools.recording.files import CHANNEL, FORMAT, LOCK, META, VERSION
from host_tools.recording.writer import ChannelWriter, EventWriter, SampleWriter

FLUSH_SECONDS = 0.4


class Recorder:
    """A recording that grows; a context manager. Raises BadInput where one is already."""

    def __init__(self, folder: Path, meta: Mapping[str, Any] | None = None) -> None:
        check_new(folder)
        make_folder(folder)
        self.folder = folder
        self.origin = time.monotonic_ns()
        self._channels: list[ChannelWriter] = []
        self._lock = threading.Lock()
        self._held = _lock_file(folder / LOCK)
        self._meta: Json = {
            "format": FORMAT, "version": VERSION, "state": "recording",
            "started": datetime.now(UTC).isoformat(timespec="microseconds"),
            "host": _host(), **(meta or {})}
        self._write_meta()
        self.failed: Exception | None = None  # why nothing is written any more: a full disk
        self._stop = threading.Event()
        self._flusher = threading.Thread(target=self._flush_often, daemon=True,
                                         name="recording flush")
        self._flusher.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close("complete" if kind is None else f"stopped by {kind.__name__}")

    def now(self) -> int:
        """Nanoseconds since the recording began."""
        return time.monotonic_ns() - self.origin

    @property
    def meta(self) -> Json:
        """What meta.json holds now."""
        with self._lock:
            return dict(self._meta)

    def set(self, key: str, value: object) -> None:
        """Put a value that JSON knows into meta.json."""
        with self._lock:
            self._meta[key] = value
            self._write_meta()

    def samples(self, name: str, columns: Sequence[Column], rate: float | None = None,
                source: Mapping[str, object] | None = None) -> SampleWriter:
        """A new channel of samples; `rate` in samples per second, None: each has its own time."""
        chunks.check_columns(columns)
        with self._lock:
            fields = {"kind": "samples", "name": name, "rate": rate, "source": dict(source or {}),
                      "columns": [column.to_json() for column in columns]}
            path = self.folder / f"{len(self._channels)}.samples"
            channel = SampleWriter(path, columns, fields, self.now())
            self._channels.append(channel)
            return channel

    def events(self, name: str, source: Mapping[str, object] | None = None) -> EventWriter:
        """A new channel of events."""
        with self._lock:
            fields = {"kind": "events", "name": name, "source": dict(source or {})}
            path = self.folder / f"{len(self._channels)}.events"
            channel = EventWriter(path, fields, self.now())
            self._channels.append(channel)
            return channel

    def flush(self) -> None:
        """Write what is pending in every channel."""
        for channel in list(self._channels):
            channel.flush()

    def close(self, state: str = "complete") -> None:
        """Write the rest and say in meta.json how it ended; a second time does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._flusher.join()
        for channel in self._channels:
            self._or_failed(channel.close)
        with self._lock, self._held:
            self._meta.update(state=state, seconds=round(self.now() / 1e9, 6))
            self._or_failed(self._write_meta)

    def _flush_often(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._or_failed(self.flush)
            if self.failed:
                return

    def _or_failed(self, write: Callable[[], None]) -> None:
        """Write; a full disk costs what no longer fits, not what comes after it."""
        try:
            write()
        except (OSError, BadInput) as error:
            self.failed = self.failed or error

    def _write_meta(self) -> None:
        write_file(self.folder / META, json.dumps(self._meta, indent=1) + "\n")


def check_new(folder: Path) -> None:
    """Raises BadInput where a recording cannot be made: one is there, or no folder can be."""
    check_folder(folder)
    if folder.is_dir() and ((folder / META).exists()
                            or any(CHANNEL.fullmatch(p.name) for p in folder.iterdir())):
        raise BadInput(f"{folder}: holds a recording already; expected a new folder")


def _lock_file(path: Path) -> IO[bytes]:
    """A file that is locked as long as the recorder lives; the system frees it however it ends."""
    file = path.open("wb")
    try:
        import fcntl
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # a system without these locks: readers watch meta.json
        pass
    return file


def _host() -> Json:
    try:
        version = metadata.version("edgefm")
    except metadata.PackageNotFoundError:
        version = "not installed"
    return {"edgefm": version, "python": platform.python_version(),
            "numpy": np.__version__, "system": f"{platform.system()} {platform.machine()}"}
