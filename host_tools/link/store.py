# SPDX-License-Identifier: Apache-2.0
"""The store of a device: lists, writes, reads, removes and hashes its files.

    with Store(Session(open_transport("socket://127.0.0.1:5599"))) as store:
        store.put("net.efm", package)
        print(store.files(), store.space().free)

Device also runs stored packages. This module imports no NumPy, so `edgefm ls` answers immediately.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from edgefm.errors import BadInput, BadMessage, DeviceError, Infeasible, LinkLost
from edgefm.package.records import MAGIC
from host_tools.link.answers import (
    MOST_FILES,
    RECORD,
    Space,
    Stored,
    check_name,
    read_list,
    read_space,
)
from host_tools.link.capability import Info, compile_for
from host_tools.link.frames import Command, Status
from host_tools.link.memory_test import Found, Pass, perform
from host_tools.link.session import MOST_READ, Progress, Session
from host_tools.link.shared_memory import SharedMemory

IMPORT_ARGS = struct.Struct("<BIII")
# What a device says of a package that it cannot run, when all of it has arrived.
NOT_RUN = frozenset(range(Status.BAD_ARGUMENT, Status.BAD_MAGIC))
WHY_NOT = {Status.BAD_VERSION: "it reads another package format",
           Status.BAD_FEATURE: "it lacks a feature, operator, codec or packing that is needed",
           Status.BAD_ARGUMENT: "it has less memory, or another alignment, than is needed"}
NAMES_TOLD = 8          # in a message
WORTH_SHARING = 1 << 12  # bytes from which on shared memory is used where there is one


class Store:
    """A context manager that owns its session. Raises what Session raises.

    `memory` is the board's external memory if it is a file on this machine: large files are written
    there, and the device imports and checks them as usual.
    """

    def __init__(self, session: Session, memory: SharedMemory | None = None) -> None:
        self._session, self._memory = session, memory
        self._name = session.name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the transport."""
        self._session.close()

    @property
    def info(self) -> Info:
        """The device's last description of itself."""
        return self._session.info

    @property
    def name(self) -> str:
        """The name of its line."""
        return self._name

    def reset(self) -> None:
        """Restart the firmware, which ends this session."""
        with suppress(LinkLost):  # it may be quicker than its reply
            self._session.request(Command.RESET)
        self.close()

    # -- the store -------------------------------------------------------------------------------

    def files(self) -> list[Stored]:
        """The stored files, in order of their place."""
        data = self._session.get(":list", most=MOST_FILES * RECORD.size)
        return read_list(data, self.info.store_bytes, self._name)

    def find(self, name: str) -> Stored | None:
        """The stored file of a name, without listing the others."""
        try:
            return Stored(name, *self._session.look(check_name(name), self._most()))
        except DeviceError as error:
            if error.status == Status.NOT_FOUND:
                return None
            raise

    def stat(self, name: str) -> Stored:
        """The stored file of a name. Raises DeviceError if it does not exist."""
        found = self.find(name)
        if found is None:
            raise self._missing(name)
        return found

    @contextmanager
    def _stored(self, name: str) -> Iterator[str]:
        """The checked name; if the device lacks it, the error lists the device's files."""
        try:
            yield check_name(name)
        except DeviceError as error:
            if error.status != Status.NOT_FOUND:
                raise
            raise self._missing(name) from None

    def _missing(self, name: str) -> DeviceError:
        return DeviceError(f"{self._name}: there is no :{name}; the device holds {self._held()}",
                           Status.NOT_FOUND)

    def _held(self) -> str:
        files = self.files()
        names = [f":{one.name}" for one in files[:NAMES_TOLD]]
        if len(files) > len(names):
            names.append(f"and {len(files) - len(names):,} more")
        return ", ".join(names) or "nothing"

    def space(self) -> Space:
        """The space of the store."""
        return read_space(self._session.request(Command.SPACE), self._name)

    def test_memory(self, order: Pass) -> Found:
        """Let the device carry out a pass of a memory test; what the memory holds is lost."""
        return perform(self._session, order)

    def put(self, name: str, data: bytes, *, replace: bool = False,
            progress: Progress = lambda done, total: None) -> None:
        """Store `data`; the old file of that name stays until the new one is complete.

        With `replace`, the old file is removed first if both do not fit. Raises Infeasible when the
        file does not fit, DeviceError for a package that the device cannot run.
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
            if data[:len(MAGIC)] == MAGIC and error.status in NOT_RUN:
                raise self._not_run(name, error) from None
            raise self._no_room(name, len(data), error) from None

    def _import(self, shared: SharedMemory, name: str, data: bytes, replace: bool) -> None:
        with shared.path.open("r+b") as memory:
            memory.seek(shared.offset)
            memory.write(data)
        self._session.request(Command.IMPORT, IMPORT_ARGS.pack(
            replace, 0, len(data), zlib.crc32(data)) + name.encode())

    def _not_run(self, name: str, error: DeviceError) -> DeviceError:
        status = Status(error.status)
        why = WHY_NOT.get(status, "the package is damaged")
        advice = compile_for(self.info) if status in WHY_NOT else "compile it again"
        return DeviceError(f"{self._name}: the device refuses :{name}: {why} ({status.name}); "
                           f"{advice}", status)

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
                f"{self._name}: no room for {size} bytes beside the stored {name} "
                f"({largest} free in one piece); --replace removes the old file first, and a power "
                "cut then loses both", size, name)
        return Infeasible(f"{self._name}: {name} needs {size} bytes of the store, the largest free "
                          f"piece has {largest}", size, name)

    def get(self, name: str, progress: Progress = lambda done, total: None) -> bytes:
        """Read a file back."""
        with self._stored(name) as known:
            return self._session.get(known, progress=progress, most=self._most())

    def _most(self) -> int:
        """The most bytes of a stored file."""
        return min(self.info.store_bytes, MOST_READ)

    def _sized(self, name: str, size: int, progress: Progress = lambda done, total: None) -> bytes:
        """The contents of a name on the device, which must be `size` bytes."""
        data = self._session.get(name, progress=progress, most=min(size, MOST_READ))
        if len(data) != size:
            raise BadMessage(f"{self._name}: {name} of {len(data)} bytes, expected {size}")
        return data

    def remove(self, name: str) -> None:
        """Remove a file."""
        with self._stored(name) as known:
            self._session.request(Command.REMOVE, known.encode())

    def sha256(self, name: str) -> str:
        """SHA-256 of a file, computed by the device, in hex."""
        with self._stored(name) as known:
            return self._sized(f":hash/{known}", hashlib.sha256().digest_size).hex()
