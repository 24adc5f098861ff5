# SPDX-License-Identifier: Apache-2.0
"""The threads that one runtime computes with, and the scratch of each."""

from __future__ import annotations

import warnings
from typing import Any

from edgefm.errors import InputWarning
from edgefm.runtime.guarded import Guarded

_CACHE_LINE = 64


class LentThreads:
    """Threads of C, the caller's among them; between runs they sleep.

    A process that is forked off has none of them: there the caller computes alone.
    """

    def __init__(self, ffi: Any, lib: Any, model: Any, count: int, where: str) -> None:
        """Start `count` threads; where the system gives fewer, a warning says so. Raises
        MemoryError."""
        self._ffi = ffi
        self._threads = ffi.gc(lib.efm_threads_start(count), lib.efm_threads_stop)
        if self._threads == ffi.NULL:
            raise MemoryError
        self.count = int(lib.efm_threads_count(self._threads))
        if self.count < count:
            warnings.warn(f"{where}: got {self.count} of {count} threads from the system",
                          InputWarning, stacklevel=2)
        size = int(lib.efm_model_worker_bytes(model))
        self.scratch = Guarded(self.count, size, _CACHE_LINE, lib.EFM_CANARY_BYTES, lib.EFM_CANARY)
        self._at = ffi.from_buffer("uint8_t[]", self.scratch.memory)

    def lend(self, pc: Any) -> Any:
        """Put all of it into an efm_pc, for a run. Gives the array that gets each one's
        multiply-adds."""
        pc.threads, pc.scratch, pc.scratch_bytes = self._threads, self._at, self.scratch.step
        pc.products = products = self._ffi.new("uint64_t[]", self.count)
        return products
