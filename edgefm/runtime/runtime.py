# SPDX-License-Identifier: Apache-2.0
"""A package, opened and run by the same C code that runs on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from edgefm.errors import BadContainer, BadInput, RuntimeFault
from edgefm.network.graph import Array
from edgefm.package.container import PackageInfo, StreamInfo, TensorInfo, read_info
from edgefm.package.traffic import MapCounters
from edgefm.runtime.load import native

_CANARY = 64       # guard bytes on either side of the arena
_CANARY_BYTE = 0xA5
_OK = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """Bytes of one run, counted by the C runtime where they cross a memory's port."""

    external_read_bytes: int
    external_write_bytes: int
    weight_read_bytes: int
    input_read_bytes: int
    output_write_bytes: int
    coded_bytes: int
    coded_values: int
    coded_rows: int
    raw_rows: int
    pool_bytes: int
    pool_values: int
    pool_pages: int
    capped_rows: int
    largest_shift: int
    reference_bytes: int


_Counted = TypeVar("_Counted", Counters, MapCounters)


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """Outputs in graph order; `maps` has what crossed for each stored map, in the plan's order.

    If asked for, `streams` has what entered the ring of each stream of the plan, None for one that
    carries no tensor of the graph, and `taps` the same by name of tensor.
    """

    outputs: list[Array]
    counters: Counters
    streams: Sequence[Array | None]
    taps: Mapping[str, Array]
    maps: tuple[MapCounters, ...] = ()


class Runtime:
    """An opened package; a context manager.

    One instance runs one inference at a time, any number of instances run at once (the C code
    releases the interpreter lock).
    """

    def __init__(self, package: bytes, name: str = "package") -> None:
        """Check the package. Raises BadContainer when it is damaged or too new."""
        ffi, lib = native()
        self._ffi, self._lib = ffi, lib
        self._info = read_info(package, name)
        self._package = ffi.from_buffer("uint8_t[]", package)
        self._model = ffi.new("efm_model *")
        lent = ffi.new("uint64_t[]", lib.EFM_OPEN_BYTES // 8)
        status = lib.efm_model_open(self._model, self._package, len(package),
                                    ffi.cast("uint8_t *", lent), lib.EFM_OPEN_BYTES)
        if status != _OK:
            raise BadContainer(f"{name}: the runtime refuses it: {self._status_name(status)}")
        self._arena_bytes = int(lib.efm_model_arena_bytes(self._model))
        external_bytes = int(lib.efm_model_external_bytes(self._model))
        try:
            self._external = np.zeros(max(external_bytes, 1), np.uint8)
            guarded = np.empty(self._arena_bytes + 2 * _CANARY + 8, np.uint8)
        except MemoryError:
            raise BadContainer(f"{name}: asks for {self._arena_bytes} bytes of fast and "
                               f"{external_bytes} of external memory") from None
        start = _CANARY + -(guarded.ctypes.data + _CANARY) % 8
        self._guards = (guarded[:start], guarded[start + self._arena_bytes:])
        self._arena = guarded[start:start + self._arena_bytes]

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._external = np.zeros(0, np.uint8)

    @property
    def info(self) -> PackageInfo:
        """What the package says about itself."""
        return self._info

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Graph inputs."""
        return self._info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Graph outputs."""
        return self._info.outputs

    def run(self, inputs: Sequence[Array], taps: bool = False, frame: int = 0) -> RunResult:
        """Run once. `inputs` have the shapes and dtypes of `self.inputs`.

        `frame` counts the pictures of a stream: those after 0 may be coded against the one before.

        Raises BadInput for an input of another shape or type, RuntimeFault when the runtime stops
        or writes outside its arena.
        """
        ffi = self._ffi
        arrays = self._checked(inputs)
        outputs = [np.zeros(t.shape, t.dtype) for t in self.outputs]
        tapped = self._tap_arrays() if taps else []
        pc = ffi.new("efm_pc *")
        keep = [_pointers(ffi, "const uint8_t *[]", arrays), _pointers(ffi, "uint8_t *[]", outputs),
                _pointers(ffi, "uint8_t *[]", tapped)]
        pc.model, pc.inputs, pc.outputs = self._model, keep[0], keep[1]
        pc.taps = keep[2] if taps else ffi.NULL
        count = int(self._lib.efm_model_maps(self._model))
        maps = ffi.new("efm_map_counters[]", count)
        pc.maps = maps
        pc.external.memory = ffi.from_buffer("uint8_t[]", self._external)
        pc.external.bytes = self._external.size
        pc.frame = frame
        counters = ffi.new("efm_counters *")
        for guard in self._guards:
            guard[:] = _CANARY_BYTE
        arena = ffi.from_buffer("uint8_t[]", self._arena)
        status = self._lib.efm_pc_run(pc, arena, self._arena_bytes, counters)
        if status != _OK:
            raise RuntimeFault(
                f"{self._info.name}: the runtime stopped: {self._status_name(status)}", int(status))
        if any((guard != _CANARY_BYTE).any() for guard in self._guards):
            raise RuntimeFault(f"{self._info.name}: the runtime wrote outside its arena", 0)
        streams = self._tap_result(tapped) if taps else ()
        return RunResult(outputs, _read(Counters, counters), streams, self._by_name(streams),
                         tuple(_read(MapCounters, one) for one in maps))

    def _checked(self, inputs: Sequence[Array]) -> list[Array]:
        if len(inputs) != len(self.inputs):
            raise BadInput(f"{self._info.name}: {len(inputs)} inputs given, "
                           f"expected {len(self.inputs)}")
        for array, info in zip(inputs, self.inputs, strict=True):
            if tuple(array.shape) != tuple(info.shape) or array.dtype != np.dtype(info.dtype):
                raise BadInput(f"{self._info.name}: input {info.name!r} is {array.dtype} "
                               f"{list(array.shape)}, expected {info.dtype} {list(info.shape)}")
        return [np.ascontiguousarray(array) for array in inputs]

    def _tap_arrays(self) -> list[Array | None]:
        return [None if s is None else np.zeros((s.height, s.width, s.channels), _tap_dtype(s))
                for s in self._info.streams]

    def _tap_result(self, tapped: Sequence[Array | None]) -> tuple[Array | None, ...]:
        return tuple(array.view(np.uint8) ^ 0x80
                     if info is not None and array is not None and info.dtype == "uint8" else array
                     for info, array in zip(self._info.streams, tapped, strict=True))

    def _by_name(self, streams: Sequence[Array | None]) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for info, array in zip(self._info.streams, streams, strict=False):
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
