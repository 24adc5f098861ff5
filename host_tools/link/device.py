# SPDX-License-Identifier: Apache-2.0
"""A device with edgefm firmware, typed: its store, its runs, its profiler.

    with Device(open_transport("socket://127.0.0.1:5599")) as device:
        device.put("net.efm", package)
        run = device.run("net.efm", [picture])
        print(run.outputs[0].argmax(), run.end.ticks)
"""

from __future__ import annotations

import hashlib
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

import numpy as np

from edgefm.errors import (
    BadInput,
    BadMessage,
    DeviceError,
    EdgefmError,
    Infeasible,
    LinkError,
    LinkLost,
)
from edgefm.network.graph import Array
from edgefm.package.outline import Outline, read_outline, tensor_bytes
from edgefm.package.read import TensorInfo
from edgefm.package.traffic import MapCounters
from host_tools.link.answers import (
    MOST_FILES,
    RECORD,
    Profile,
    Run,
    Space,
    Stored,
    check_name,
    read_list,
    read_space,
    whole_profile,
)
from host_tools.link.bulk import Timing
from host_tools.link.capability import Info
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
from host_tools.link.session import MOST_READ, Event, Progress, Session
from host_tools.link.shared_memory import SharedMemory
from host_tools.link.transport import Transport

RUN_ARGS = struct.Struct("<BHB")
RUN_REPLY = struct.Struct("<I")
IMPORT_ARGS = struct.Struct("<BIII")
TELL_STAGES, TELL_MAPS = 1, 2  # flags of RUN
MAPS_SINCE = 2          # minor version of the protocol
NAMES_TOLD = 8          # in a message
MOST_STORED_MAPS = 1 << 16  # of a package
MOST_STREAM = 1 << 28   # bytes of inputs that are sent for one RUN
MOST_TIMES = 0xFFFF     # that one RUN runs
MOST_EVENTS = 1 << 18   # of one run
WORTH_SHARING = 1 << 12  # bytes from which on shared memory is used where there is one
LOSSY_TRIES = 5         # profiles of a line that loses events
Listener = Callable[[EventMessage], None]
Tap = Callable[[Event], None]


class Device:
    """A context manager that owns its transport. Raises what Session raises.

    `memory` is the board's external memory where it is a file of this machine: large files are put
    there and imported by the device, which checks them as ever.
    """

    def __init__(self, transport: Transport, *, timing: Timing | None = None,
                 on_event: Listener = lambda event: None,
                 memory: SharedMemory | None = None) -> None:
        self._name, self._on_event, self._memory = transport.name, on_event, memory
        self.bytes_per_second = transport.bytes_per_second
        self._events: list[EventMessage] | None = None
        self._missed = 0
        self._tap: Tap | None = None
        self._session = Session(transport, timing=timing, on_event=self._take_event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the transport back."""
        self._session.close()

    @property
    def info(self) -> Info:
        """What the device said of itself when it was asked last."""
        return self._session.info

    @property
    def name(self) -> str:
        """The line it is on."""
        return self._name

    # -- the store -------------------------------------------------------------------------------

    def files(self) -> list[Stored]:
        """What is stored, in order of place."""
        data = self._session.get(":list", most=MOST_FILES * RECORD.size)
        return read_list(data, self.info.store_bytes, self._name)

    def find(self, name: str) -> Stored | None:
        """The stored file of a name; only this one is looked for."""
        try:
            return Stored(name, *self._session.look(check_name(name), self._most()))
        except DeviceError as error:
            if error.status == Status.NOT_FOUND:
                return None
            raise

    @contextmanager
    def _stored(self, name: str) -> Iterator[str]:
        """The name, checked; when the device lacks it, the error says what is there instead."""
        try:
            yield check_name(name)
        except DeviceError as error:
            if error.status != Status.NOT_FOUND:
                raise
            raise DeviceError(f"{self._name}: there is no :{name}; the device holds {self._held()}",
                              Status.NOT_FOUND) from None

    def _held(self) -> str:
        files = self.files()
        names = [f":{one.name}" for one in files[:NAMES_TOLD]]
        if len(files) > len(names):
            names.append(f"and {len(files) - len(names):,} more")
        return ", ".join(names) or "nothing"

    def space(self) -> Space:
        """How full the store is."""
        return read_space(self._session.request(Command.SPACE), self._name)

    def put(self, name: str, data: bytes, *, replace: bool = False,
            progress: Progress = lambda done, total: None) -> None:
        """Store `data`; the file of that name stays until the new one is whole.

        `replace`: where there is no room for both, the old one goes first. Raises Infeasible where
        there is no room.
        """
        shared = self._memory
        if len(data) > MOST_READ:
            raise BadInput(f"{name}: {len(data)} bytes, expected at most {MOST_READ}")
        try:
            if shared is not None and WORTH_SHARING <= len(data) <= shared.bytes:
                self._import(shared, check_name(name), data, replace)
                progress(len(data), len(data))
            else:
                prefix = ":replace/" if replace else ""
                self._session.put(prefix + check_name(name), data, progress)
        except DeviceError as error:
            raise self._no_room(name, len(data), error) from None

    def _import(self, shared: SharedMemory, name: str, data: bytes, replace: bool) -> None:
        with shared.path.open("r+b") as memory:
            memory.seek(shared.offset)
            memory.write(data)
        self._session.request(Command.IMPORT, IMPORT_ARGS.pack(
            replace, 0, len(data), zlib.crc32(data)) + name.encode())

    def _no_room(self, name: str, size: int, error: DeviceError) -> Exception:
        if error.status == Status.TOO_MANY:
            return Infeasible(f"{self._name}: no room for {name}: the store holds "
                              f"{len(self.files()):,} files and takes no new name; remove some",
                              size, name)
        if error.status not in (Status.NO_SPACE, Status.REFUSED):
            return error
        largest = self.space().largest
        if error.status == Status.REFUSED and size > largest and self.find(name):
            return Infeasible(
                f"{self._name}: no room for {size} bytes beside the {name} that is there "
                f"({largest} free in one piece); --replace takes the old one away first, and a "
                "power cut then loses both", size, name)
        return Infeasible(f"{self._name}: {name} needs {size} bytes of the store, the largest free "
                          f"piece has {largest}", size, name)

    def get(self, name: str, progress: Progress = lambda done, total: None) -> bytes:
        """Read a file back."""
        with self._stored(name) as known:
            return self._session.get(known, progress=progress, most=self._most())

    def _most(self) -> int:
        """Bytes that a stored file has at most."""
        return min(self.info.store_bytes, MOST_READ)

    def _sized(self, name: str, size: int, progress: Progress = lambda done, total: None) -> bytes:
        """What the device has under a name, which must be so many bytes."""
        data = self._session.get(name, progress=progress, most=min(size, MOST_READ))
        if len(data) != size:
            raise BadMessage(f"{self._name}: {name} of {len(data)} bytes, expected {size}")
        return data

    def remove(self, name: str) -> None:
        """Take a file away."""
        with self._stored(name) as known:
            self._session.request(Command.REMOVE, known.encode())

    def sha256(self, name: str) -> str:
        """SHA-256 of a file, computed by the device, in hex."""
        with self._stored(name) as known:
            return self._sized(f":hash/{known}", hashlib.sha256().digest_size).hex()

    def outline(self, name: str) -> Outline:
        """What a stored package says of itself."""
        with self._stored(name) as known:
            size, _ = self._session.look(known, self._most())
            return read_outline(lambda start, count: self._session.get(known, start, count,
                                                                       most=size),
                                size, f":{name}")

    # -- running ---------------------------------------------------------------------------------

    def run(self, name: str, stream: bytes | None, *, stored: str = "", times: int = 1,
            outputs: Sequence[TensorInfo] = (), by_map: bool = False) -> Run:
        """Run a stored package on `stream`, an Outline's, or on one that is `stored` there.

        Rows go over while the first stages run. `outputs` says how to read what comes out,
        `by_map` has the device count map by map. When interrupted (KeyboardInterrupt) the run is
        ended on the device too.
        """
        tells = (TELL_STAGES if self._tap else 0) | (self._tell_maps if self._tap or by_map else 0)
        most = min(MOST_TIMES, max(1, MOST_STREAM // max(1, len(stream or b""))))
        for done in range(0, max(times, 1), most):
            run = self._start(name, stream, stored, min(most, times - done), tells)
        end = self._ended(self.last_run(), run)
        return Run(end, self._outputs(outputs, end), self._maps() if by_map else None)

    def last_run(self) -> RunEnd:
        """How the last run ended."""
        return read_run_end(self._sized(":run", RUN_END.size))

    def _ended(self, end: RunEnd, run: int) -> RunEnd:
        """The end of a run that the device said went well. Raises DeviceError when it did not."""
        if end.run != run:
            raise BadMessage(f"{self._name}: tells how run {end.run} ended, expected run {run}")
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
        """True where the firmware can count what crosses map by map."""
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
        """Hand every event to `tap` as it comes, undecoded, and have all runs tell their stages.

        Until watch(None).
        """
        self._tap = tap

    def round_trip(self) -> tuple[int, int]:
        """time.monotonic_ns() before the smallest request and after its reply."""
        before = time.monotonic_ns()
        self._session.request(Command.ECHO)
        return before, time.monotonic_ns()

    def _start(self, name: str, stream: bytes | None, stored: str, times: int, flags: int) -> int:
        """Have it run; the number of the last run."""
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
        """All outputs, which must have the SHA-256 that the run ended with."""
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
                return  # a later firmware's; whoever listens has its bytes
            raise
        if self._events is not None:
            if len(self._events) == MOST_EVENTS:
                raise BadMessage(f"{self._name}: more than {MOST_EVENTS} events of one run")
            self._events.append(message)
        self._on_event(message)

    # -- the device ------------------------------------------------------------------------------

    def reset(self) -> None:
        """Start the firmware anew; this session is over then."""
        with suppress(LinkLost):  # it may be quicker than its reply
            self._session.request(Command.RESET)
        self.close()
