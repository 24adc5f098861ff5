# SPDX-License-Identifier: Apache-2.0
"""One opened package and the memory that C reads and writes while it runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from edgefm.errors import BadContainer, BadInput, RuntimeFault
from edgefm.network.graph import Array
from edgefm.package.counters import MapCounters
from edgefm.package.read import StreamInfo, read_info
from edgefm.package.rows import in_rows
from edgefm.runtime.guarded import Guarded
from edgefm.runtime.lending import MOST_THREADS, frozen_bytes, whole_number
from edgefm.runtime.load import native
from edgefm.runtime.result import Counters, RunResult
from edgefm.runtime.weight_port import FilePort, Weights
from edgefm.runtime.workers import LentThreads

_OK = 0
_PREPARED_ALIGNMENT = 64

_Counted = TypeVar("_Counted", Counters, MapCounters)


class Opened:
    """A checked package with its arena and external memory.

    `busy` is held while it runs; messages begin with `where`: the name given, or the network's.
    """

    def __init__(self, package: bytes, given: str | None, threads: int = 1,
                 weights: Weights | None = None) -> None:
        """Raises BadContainer for a package that is damaged, too new or too large for this PC, and
        BadInput for what is not bytes or no number of threads; what may change is copied. Weights
        behind a port are read from `weights`, or from the package."""
        self._ffi, self._lib = native()
        self.busy = threading.Lock()
        name = given or "package"
        threads = whole_number(threads, 1, MOST_THREADS, f"{name}: threads")
        package = frozen_bytes(package, name)
        self.info = read_info(package, name)
        self.where = given or self.info.name
        package = in_rows(package, int(self._lib.efm_packings()))
        front = min(len(package), int(self._lib.efm_package_front_bytes(
            self._ffi.from_buffer("uint8_t[]", package))))
        self._whole = memoryview(package)
        self._package = self._ffi.from_buffer(  # C reads it in place, and no more than it has to
            "uint8_t[]", package if front == len(package) else package[:front])
        self._model = self._ffi.new("efm_model *")
        self._open(front, name)
        self._port = self._port_of(weights)
        self._prepared = self._prepare()
        self._arena_bytes = int(self._lib.efm_model_arena_bytes(self._model))
        external_bytes = int(self._lib.efm_model_external_bytes(self._model))
        try:
            self._external = np.zeros(max(external_bytes, 1), np.uint8)
            self._arena = Guarded(1, self._arena_bytes, self._lib.EFM_ARENA_ALIGNMENT,
                                  self._lib.EFM_CANARY_BYTES, self._lib.EFM_CANARY)
            self._workers = (None if threads == 1 else
                             LentThreads(self._ffi, self._lib, self._model, threads, self.where))
        except MemoryError:
            raise BadContainer(f"{name}: asks for {self._arena_bytes} bytes of fast and "
                               f"{external_bytes} of external memory") from None

    def _port_of(self, weights: Weights | None) -> FilePort | None:
        """The port to `weights`, if they are given."""
        if weights is None:
            return None
        size = int(self._lib.efm_model_weight_bytes(self._model))
        if size == 0:
            raise BadInput(f"{self.where}: got weights for a package that reads its own in place; "
                           "expected one that was compiled with weights='port'")
        return FilePort(self._ffi, weights, self.where,
                        int(self._lib.efm_model_weight_offset(self._model)), size, len(self._whole))

    def close(self) -> None:
        """Close the file of weights, if one was opened."""
        if self._port is not None:
            self._port.close()

    @property
    def threads(self) -> int:
        """Threads that compute a run."""
        return self._workers.count if self._workers else 1

    def _open(self, size: int, name: str) -> None:
        ffi, lib = self._ffi, self._lib
        lent = ffi.new("uint64_t[]", lib.EFM_OPEN_BYTES // 8)
        status = lib.efm_model_open(self._model, self._package, size,
                                    ffi.cast("uint8_t *", lent), lib.EFM_OPEN_BYTES)
        if status != _OK:
            raise BadContainer(f"{name}: the runtime refuses it: {self._status_name(status)}")

    def _prepare(self) -> Array:
        """Weights as this processor's kernels read them fastest; the model points into it."""
        size = int(self._lib.efm_model_prepare_bytes(self._model))
        try:
            memory = np.empty(size + _PREPARED_ALIGNMENT, np.uint8)
        except MemoryError:
            return np.empty(0, np.uint8)  # slower, and the same outputs
        start = -memory.ctypes.data % _PREPARED_ALIGNMENT
        if size:
            at = self._ffi.from_buffer("uint8_t[]", memory[start:start + size])
            status = self._lib.efm_model_prepare(self._model, at, size)
            assert status == _OK, self._status_name(status)
        return memory

    def run(self, inputs: Sequence[Array], taps: bool, frame: int) -> RunResult:
        """Run once on inputs that are contiguous, as `info` describes them, and nobody else's.

        Raises RuntimeFault when C stops or writes outside its arena.
        """
        ffi = self._ffi
        outputs = [np.zeros(t.shape, t.dtype) for t in self.info.outputs]
        tapped = self._tap_arrays() if taps else []
        pc = ffi.new("efm_pc *")
        keep = [_pointers(ffi, "const uint8_t *[]", inputs), _pointers(ffi, "uint8_t *[]", outputs),
                _pointers(ffi, "uint8_t *[]", tapped)]
        pc.model, pc.inputs, pc.outputs = self._model, keep[0], keep[1]
        pc.taps = keep[2] if taps else ffi.NULL
        maps = ffi.new("efm_map_counters[]", int(self._lib.efm_model_maps(self._model)))
        pc.maps = maps
        pc.external.memory = ffi.from_buffer("uint8_t[]", self._external)
        pc.external.bytes = self._external.size
        behind = self._weights_behind_port()
        pc.weights.memory, pc.weights.bytes = behind, len(behind)
        pc.weight_port = self._port.port if self._port is not None else ffi.NULL
        pc.frame = frame
        products = self._workers.lend(pc) if self._workers else ()
        counters = ffi.new("efm_counters *")
        self._compute(pc, counters)
        streams = self._tap_result(tapped) if taps else ()
        return RunResult(outputs, _read(Counters, counters), streams, self._by_name(streams),
                         tuple(_read(MapCounters, one) for one in maps),
                         tuple(output.name for output in self.info.outputs),
                         tuple(int(one) for one in products))

    def _weights_behind_port(self) -> Any:
        """What the package itself has behind its weight port."""
        size = int(self._lib.efm_model_weight_bytes(self._model))
        start = int(self._lib.efm_model_weight_offset(self._model)) if size else 0
        return self._ffi.from_buffer("uint8_t[]", self._whole[start:start + size])

    def _compute(self, pc: Any, counters: Any) -> None:
        """Run C between two canaries."""
        lent = [self._arena, *([self._workers.scratch] if self._workers else [])]
        for memory in lent:
            memory.arm()
        arena = self._ffi.from_buffer("uint8_t[]", self._arena.memory)
        status = self._lib.efm_pc_run(pc, arena, self._arena_bytes, counters)
        if status != _OK:
            failure = f" ({self._port.failure})" if self._port and self._port.failure else ""
            raise RuntimeFault(f"{self.where}: the runtime stopped: {self._status_name(status)}"
                               f"{failure}", int(status))
        if not all(memory.intact for memory in lent):
            raise RuntimeFault(f"{self.where}: the runtime wrote outside its arena", 0)

    def _tap_arrays(self) -> list[Array | None]:
        return [None if s is None else np.zeros((s.height, s.width, s.channels), _tap_dtype(s))
                for s in self.info.streams]

    def _tap_result(self, tapped: Sequence[Array | None]) -> tuple[Array | None, ...]:
        return tuple(array.view(np.uint8) ^ 0x80
                     if info is not None and array is not None and info.dtype == "uint8" else array
                     for info, array in zip(self.info.streams, tapped, strict=True))

    def _by_name(self, streams: Sequence[Array | None]) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for info, array in zip(self.info.streams, streams, strict=False):
            if info is not None and array is not None:
                found.setdefault(info.tensor, array)
        return found

    def _status_name(self, status: int) -> str:
        return str(self._ffi.string(self._lib.efm_status_name(status)).decode())


def _read(kind: type[_Counted], counted: Any) -> _Counted:
    """A C struct of counters as the dataclass with its fields."""
    return kind(**{name: int(getattr(counted, name)) for name in kind.__slots__})


def _tap_dtype(stream: StreamInfo) -> str:
    return "int8" if stream.dtype == "uint8" else stream.dtype


def _pointers(ffi: Any, kind: str, arrays: Sequence[Array | None]) -> Any:
    return ffi.new(kind, [ffi.NULL if a is None else ffi.cast("uint8_t *", a.ctypes.data)
                          for a in arrays])
