# SPDX-License-Identifier: Apache-2.0
"""The runtime's C files: in `native/` of a checkout, beside this file in an installation."""

from __future__ import annotations

from pathlib import Path

from edgefm.errors import BadInput

_HERE = Path(__file__).resolve().parent
_PLACES = (_HERE.parent.parent / "native", _HERE / "native")


def runtime_files() -> dict[str, bytes]:
    """The public headers and the runtime, by path: `include/edgefm.h`, `src/run.c`, ...

    Raises BadInput where this installation of edgefm has no C files.
    """
    for place in _PLACES:
        if (place / "include" / "edgefm.h").is_file():
            return {path.relative_to(place).as_posix(): path.read_bytes()
                    for folder in ("include", "src")
                    for path in sorted((place / folder).rglob("*.[ch]"))}
    raise BadInput("this installation of edgefm is without the runtime's C files; expected them "
                   f"in {_PLACES[1]}")
