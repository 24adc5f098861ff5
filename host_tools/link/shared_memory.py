# SPDX-License-Identifier: Apache-2.0
"""A board's external memory that is a file on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """The board's external memory: `bytes` of the file from byte `offset` on."""

    path: Path
    offset: int
    bytes: int
