# SPDX-License-Identifier: Apache-2.0
"""Read a recording without loading it, also one that grows or is damaged.

    with Recording(Path("run1")) as recording:
        power = recording.samples["ppk2"]
        part = power.read(1.0, 2.0)              # part.times, part.column("watts"), part.gaps
        drawn = power.envelope(buckets=2000)     # low, high, mean of each bucket
        for event in recording.events["device"].read(): ...

Times are seconds since the recording began. `recording.problems` says what could not be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from edgefm.errors import BadInput
from host_tools.recording.channels import EventChannel, SampleChannel
from host_tools.recording.files import FORMAT, VERSION, ZipFiles, open_files

AnyChannel = TypeVar("AnyChannel", SampleChannel, EventChannel)


class Recording:
    """A folder or zip; a context manager. Raises BadInput when there is nothing to open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meta: Mapping[str, Any] = {}
        self._files = open_files(path)
        self._known: dict[str, SampleChannel | EventChannel] = {}
        self._has_meta = True
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    @property
    def samples(self) -> dict[str, SampleChannel]:
        """Channels of samples by name."""
        return _by_name(c for c in self._known.values() if isinstance(c, SampleChannel))

    @property
    def events(self) -> dict[str, EventChannel]:
        """Channels of events by name."""
        return _by_name(c for c in self._known.values() if isinstance(c, EventChannel))

    @property
    def problems(self) -> list[str]:
        """What of the recording is missing or damaged, one line each; empty when all is well."""
        complaint = self._files.complaint if isinstance(self._files, ZipFiles) else ""
        found = [complaint] if complaint else []
        if not self._has_meta:
            found.append("meta.json is missing or damaged: what ran is not known")
        for channel in self._known.values():
            found += channel.problems
        if not self.is_growing():
            if self.meta.get("state") == "recording":
                found.append("the recorder was ended before it closed the recording: up to its "
                             "last second may be missing")
            found += [f"{c.file}: its last {c.missing_bytes} bytes are not a whole chunk"
                      for c in self._known.values() if c.missing_bytes]
        return found

    def is_growing(self) -> bool:
        """True while a process on this machine still records into it."""
        return self.meta.get("state") == "recording" and self._files.is_written()

    def refresh(self) -> bool:
        """Look for what was added since; True when there is something."""
        grown = self._read_meta()
        for name in self._files.names():
            if name not in self._known:
                kind = SampleChannel if name.endswith(".samples") else EventChannel
                self._known[name] = kind(self._files, name)
        news = [channel.refresh() for channel in self._known.values()]
        return any(news) or grown

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _read_meta(self) -> bool:
        before, self.meta = self.meta, self._parsed(self._files.meta())
        return before != self.meta

    def _parsed(self, text: bytes) -> Mapping[str, Any]:
        try:
            meta = json.loads(text)
        except (ValueError, RecursionError):
            meta = None
        self._has_meta = isinstance(meta, dict)
        if not isinstance(meta, dict):
            return {}
        if meta.get("format") != FORMAT or not isinstance(meta.get("version"), int):
            raise BadInput(f"{self.path}: meta.json does not describe an edgefm recording")
        if meta["version"] > VERSION:
            raise BadInput(f"{self.path}: recorded by a newer edgefm (version {meta['version']}, "
                           f"this one reads {VERSION}); update edgefm")
        return meta


def _by_name(channels: Iterable[AnyChannel]) -> dict[str, AnyChannel]:
    """Channels by name; one whose name is taken goes by its file's."""
    result: dict[str, AnyChannel] = {}
    for channel in channels:
        result[channel.file if channel.name in result else channel.name] = channel
    return result
