# SPDX-License-Identifier: Apache-2.0
"""Translates options of the command line in error messages into keyword arguments of Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from edgefm.api.keywords import CompileKeywords
from edgefm.errors import EdgefmError

_OTHERS = {"kl-budget": "budget=LossBudget(kl=…)", "accuracy-budget": "budget=LossBudget(points=…)",
           "byte-budget": "budget=LossBudget(bytes=…)", "target": "memory=Memory(target=…)",
           "packing": "memory=Memory(packing=…)",
           "mean-byte-budget": "budget=LossBudget(mean_bytes=…)",
           "coarsen": "budget=LossBudget(coarsen=…)"}
_OPTION = re.compile(r"(?<![^\s(`])--([a-z]+(?:-[a-z]+)*)"
                     r"(?: (DIR|\d+|raw\|\S*|even\b|weights\b|both\b|raw\b|ops\b))?")


@contextmanager
def in_keywords() -> Iterator[None]:
    """`--calib DIR` in an error becomes `calib=DIR`."""
    try:
        yield
    except EdgefmError as error:
        error.args = (_OPTION.sub(_keyword, str(error)), *error.args[1:])
        raise


def _keyword(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    if name in _OTHERS:
        return _OTHERS[name] + (f" of {value}" if value else "")
    if name not in CompileKeywords.__annotations__:
        return found[0]
    return f"{name}={value}" if value else f"`{name}`"
