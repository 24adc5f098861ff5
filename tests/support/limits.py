# SPDX-License-Identifier: Apache-2.0
"""How much memory and time a piece of code may take before its test fails."""

from __future__ import annotations

import time
import tracemalloc


class Limited:
    """`with Limited(32 << 20):` fails when more bytes than that are in use at once, or it takes
    longer than some seconds of this process's time."""

    def __init__(self, most_bytes: int, seconds: float = 5.0) -> None:
        self._bytes, self._seconds = most_bytes, seconds

    def __enter__(self) -> None:
        tracemalloc.start()
        self._begun = time.process_time()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        took, peak = time.process_time() - self._begun, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if kind is None:
            assert peak <= self._bytes, f"{peak} bytes were in use, {self._bytes} are allowed"
            assert took <= self._seconds, f"it took {took:.1f} s, {self._seconds} are allowed"
