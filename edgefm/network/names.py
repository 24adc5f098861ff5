# SPDX-License-Identifier: Apache-2.0
"""Names of tensors and operators as a person reads them."""

from __future__ import annotations

MOST_IN_A_SENTENCE = 80  # characters of a name that an error line holds


def short(name: str, width: int = 36) -> str:
    """A tensor's name for a table: the first of the names a converter joined; its end, which tells
    layers apart, is what stays."""
    first = name.partition(";")[0]
    return first if len(first) <= width else f"…{first[1 - width:]}"
