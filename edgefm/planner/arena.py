# SPDX-License-Identifier: Apache-2.0
"""Bytes that the runtime keeps in the arena, and the limits of its counters.

docs/FORMAT.md, "The arena", has the reasons; a test compares these numbers with native/.
"""

from __future__ import annotations

ALIGNMENT = 8         # of the arena and of everything in it

COUNTER_BYTES = 2     # per operator: the next row it fires
WINDOW_BYTES = 40     # per operand of the operator with most of them
CAP_STATE_BYTES = 24  # per capped map
POOL_STATE_BYTES = 8  # of the page pool
LINK_BYTES = 2        # per page
DIRECTORY_BYTES = 2   # per row of a coded map: its length
CURSOR_BYTES = 16     # per LOAD and STORE: tickets in flight, or where in the pool it reads

MAX_ROWS = (1 << 8 * COUNTER_BYTES) - 1         # of a map
MAX_PAGES = (1 << 8 * LINK_BYTES) - 1           # of the pool
MAX_CODE_BYTES = (1 << 8 * DIRECTORY_BYTES) - 1  # of a stored row
MAX_BYTES = (1 << 31) - 1                       # of a memory
MAX_ALIGNMENT = 4096                            # of the external port
MIN_PAGE, MAX_PAGE = 16, 32768


def round_up(count: int, multiple: int = ALIGNMENT) -> int:
    """`count` rounded up to a multiple."""
    return -(-count // multiple) * multiple


def control_bytes(caps: int, pages: int) -> int:
    """Bytes of the control region for the states of caps and pool."""
    links = round_up(POOL_STATE_BYTES + LINK_BYTES * pages) if pages else 0
    return CAP_STATE_BYTES * caps + links
