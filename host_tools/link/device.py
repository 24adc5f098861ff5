# SPDX-License-Identifier: Apache-2.0
"""A device with edgefm firmware: its store, its runs and its profiler.

    with Device(open_transport("socket://127.0.0.1:5599")) as device:
        device.put("net.efm", package)
        run = device.run("net.efm", [picture])
        print(run.outputs[0].argmax(), run.end.ticks)
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

import numpy as np

from edgefm.errors import (
    BadMessage,
    DeviceError,
    EdgefmError,
    LinkError,
)
from edgefm.network.graph import Array
from edgefm.package.counters import MapCounters
from edgefm.package.outline import Outline, read_outline, tensor_bytes
from edgefm.package.read import TensorInfo
from host_tools.link.answers import check_name
from host_tools.link.bulk import Timing
from host_tools.link.events import (
    MAP_RECORD,
    RUN_END,
    EventMessage,
    RunEnd,
    read_event,
    read_maps,
    read_run_end,
)
from host_tools.link.frames import Command, Status
from host_tools.link.requests import status_text
from host_tools.link.runs import Profile, Run, whole_profile
from host_tools.link.session import Event, Session
from host_tools.link.shared_memory import SharedMemory
from host_tools.link.store import Store
from host_tools.link.transport import Transport

RUN_ARGS = struct.Struct("<BHB")
RUN_REPLY = struct.Struct("<I")
TELL_STAGES, TELL_MAPS = 1, 2  # flags of RUN
MAPS_SINCE = 2          # minor version of the protocol
MOST_STORED_MAPS = 1 << 16  # of a package
MOST_STREAM = 1 << 28   # bytes of inputs that are sent for one RUN
MOST_TIMES = 0xFFFF     # that one RUN runs
MOST_EVENTS = 1 << 18   # of one run
LOSSY_TRIES = 5         # profiles of a line that loses events
Listener = Callable[[EventMessage], None]
Tap = Callable[[Event], None]


class Device(Store):
    """A device that runs packages; a context manager. It owns its line: a transport, on which it
    opens a session, or an open session. Raises what Session raises.

    `memory` is as for Store; `on_event` gets the events that the device sends.
    """

    def __init__(self, line: Transport | Session, *, timing: Timing | None = None,
                 on_event: Listener = lambda event: None,
                 memory: SharedMemory | None = None) -> None:
        session = line if isinstance(line, Session) else Session(line, timing=timing)
        super().__init__(session, memory)
        self.bytes_per_second = session.bytes_per_second
        self._on_event = on_event
        self._events: list[EventMessage] | None = None
        self._missed = 0
        self._tap: Tap | None = None
        session.on_event = self._take_event

    @classmethod
    def of(cls, store: Store) -> Self:
        """The device of an open store, which it takes over."""
        return cls(store._session, memory=store._memory)

    def outline(self, name: str) -> Outline:
        """The description of a stored package."""
        with self._stored(name) as known:
            size, _ = self._session.look(known, self._most())
            return read_outline(lambda start, count: self._session.get(known, start, count,
                                                                       most=size),
                                size, f":{name}")

    # -- running ---------------------------------------------------------------------------------

    def run(self, name: str, stream: bytes | None, *, stored: str = "", times: int = 1,
            outputs: Sequence[TensorInfo] = (), by_map: bool = False) -> Run:
        """Run a stored package on `stream` (of Outline.stream), or on a `stored` file.

        Rows are sent while the first stages run. `outputs` says how to read the outputs. With
        `by_map` the device counts map by map. An interrupt (KeyboardInterrupt) also ends the run on
        the device.
        """
        tells = (TELL_STAGES if self._tap else 0) | (self._tell_maps if self._tap or by_map else 0)
        most = min(MOST_TIMES, max(1, MOST_STREAM // max(1, len(stream or b""))))
        for done in range(0, max(times, 1), most):
            run = self._start(name, stream, stored, min(most, times - done), tells)
        end = self._ended(self.last_run(), run)
        return Run(end, self._outputs(outputs, end), self._maps() if by_map else None)

    def last_run(self) -> RunEnd:
        """The end of the last run."""
        return read_run_end(self._sized(":run", RUN_END.size))

    def _ended(self, end: RunEnd, run: int) -> RunEnd:
        """The end of a run. Raises DeviceError when the run failed."""
        if end.run != run:
            raise BadMessage(f"{self._name}: reported the end of run {end.run}, expected run {run}")
        if end.status != Status.OK:
            raise DeviceError(f"{self._name}: run {run} ended with {status_text(end.status)}",
                              end.status)
        return end

    def profile(self, name: str, stream: bytes | None, *, stored: str = "") -> Profile:
        """Run once with an event per stage. Raises LinkError on a line that keeps losing events."""
        for _ in range(LOSSY_TRIES):
            self._events, self._missed = [], 0
            run = self._start(name, stream, stored, 1, TELL_STAGES | self._tell_maps)
            found, self._events = whole_profile(self._events), None
            if found is not None and not self._missed:
                self._ended(found.end, run)
                return found
        raise LinkError(f"{self._name}: the line lost events in each of {LOSSY_TRIES} runs")

    @property
    def counts_maps(self) -> bool:
        """True when the firmware can count traffic map by map."""
        return self._session.minor >= MAPS_SINCE

    @property
    def _tell_maps(self) -> int:
        return TELL_MAPS if self.counts_maps else 0

    def _maps(self) -> tuple[MapCounters, ...] | None:
        try:
            if not self.counts_maps:
                return None
            return read_maps(self._session.get(":maps", most=MOST_STORED_MAPS * MAP_RECORD.size))
        except DeviceError as error:
            if error.status == Status.REFUSED:
                return None
            raise

    def watch(self, tap: Tap | None) -> None:
        """Pass every event to `tap` as it comes, undecoded, and request stage events for all runs,
        until watch(None).
        """
        self._tap = tap

    def round_trip(self) -> tuple[int, int]:
        """time.monotonic_ns() before the smallest request and after its reply."""
        before = time.monotonic_ns()
        self._session.request(Command.ECHO)
        return before, time.monotonic_ns()

    def _start(self, name: str, stream: bytes | None, stored: str, times: int, flags: int) -> int:
        """Start the run; returns the number of the last run."""
        package = check_name(name).encode()
        args = RUN_ARGS.pack(flags, times, len(package)) + package
        args += check_name(stored).encode() if stored else b""
        try:
            if stream is None:
                reply = self._session.request(Command.RUN, args)
            else:
                reply = self._session.feed(Command.RUN, args, ":input", stream * times)
        except KeyboardInterrupt:
            with suppress(EdgefmError):  # the board may have been ended as well
                self._session.restart()
            raise
        if len(reply) != RUN_REPLY.size:
            raise BadMessage(f"{self._name}: RUN reply of {len(reply)} bytes")
        run, = RUN_REPLY.unpack(reply)
        return int(run)

    def _outputs(self, tensors: Sequence[TensorInfo], end: RunEnd) -> list[Array] | None:
        """All outputs; their SHA-256 must be the one in the run's end."""
        found, digest = [], hashlib.sha256()
        for number, tensor in enumerate(tensors):
            try:
                data = self._sized(f":output/{number}", tensor_bytes(tensor))
            except DeviceError as error:
                if error.status == Status.REFUSED:
                    return None
                raise
            digest.update(data)
            found.append(np.frombuffer(data, tensor.dtype).reshape(tensor.shape))
        if found and digest.digest() != end.outputs_sha256:
            raise BadMessage(f"{self._name}: outputs of SHA-256 {digest.hexdigest()}, the run "
                             f"ended with {end.outputs_sha256.hex()}")
        return found

    def _take_event(self, event: Event) -> None:
        self._missed += event.missed
        if self._tap:
            self._tap(event)
        try:
            message = read_event(event.payload)
        except BadMessage:
            if self._tap:
                return  # a later firmware's; the listener has its bytes
            raise
        if self._events is not None:
            if len(self._events) == MOST_EVENTS:
                raise BadMessage(f"{self._name}: more than {MOST_EVENTS} events of one run")
            self._events.append(message)
        self._on_event(message)
