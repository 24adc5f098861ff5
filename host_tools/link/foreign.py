# SPDX-License-Identifier: Apache-2.0
"""Recognizes other firmware by its answer to a HELLO. Bytes only, no I/O.

To MicroPython's prompt the bytes of a HELLO are keys: Ctrl-D restarts it, Ctrl-A enters its raw
REPL. So it answers with its banner, with the raw REPL's, or with another prompt.
"""

from __future__ import annotations

MOST_HEARD = 1 << 10    # bytes that are looked at
LEAVE = b"\r\x03\x02"   # clears the line and leaves a raw REPL
_OWN = b"edgefm"
_PROMPT = b">>>"
_SIGNS = {b"CircuitPython": "CircuitPython", b"MicroPython": "MicroPython",
          b"MPY: ": "MicroPython", b"raw REPL; CTRL-B": "MicroPython"}


def foreign(heard: bytes) -> str | None:
    """What a device runs, where the bytes it has sent show that; None where they do not."""
    tail = heard[-MOST_HEARD:]
    if _OWN in tail:  # edgefm's answer to such tools names MicroPython too
        return None
    found = next((name for sign, name in _SIGNS.items() if sign in tail), None)
    waits = tail.rstrip(b" \r\n\0").endswith(_PROMPT)
    return found or ("MicroPython" if waits else None)
