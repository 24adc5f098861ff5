# SPDX-License-Identifier: Apache-2.0
"""Names of tensors and operators as a person reads them: short, and no two of a table equal.

TFLite joins the names of all operators that it has fused with semicolons, so names are long, and
those of different layers often begin alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

MOST_IN_A_SENTENCE = 80  # characters of a name that an error line holds
WIDTH = 36               # the same of a table


def short(name: str, width: int = WIDTH) -> str:
    """A tensor's name where it stands alone: the first of the names a converter joined; its end,
    which tells layers apart, is what stays."""
    return _fitted(name.partition(";")[0], width)


def distinct(names: Iterable[str], width: int = WIDTH) -> dict[str, str]:
    """The names of a table by what it shows: each at most `width` characters, different names
    different."""
    known = list(dict.fromkeys(names))
    own = _own_parts(known)
    return dict(zip(known, _numbered(_told_apart(own, width), width), strict=True))


def stage_labels(names: Sequence[str]) -> list[str]:
    """The stages of a plan by their first operators, whose names no two stages share."""
    firsts = [name.partition(" .. ")[0] for name in names]
    told = distinct(firsts)
    return [told[first] for first in firsts]


def _own_parts(names: Sequence[str]) -> list[str]:
    """Of each name's parts the first that no other name has; where there is none, its first."""
    split = [name.split(";") for name in names]
    count = Counter(part for parts in split for part in dict.fromkeys(parts))
    return [next((part for part in parts if part and count[part] == 1), parts[0])
            for parts in split]


def _told_apart(names: Sequence[str], width: int) -> list[str]:
    """Names that fit; of the others the parts of their path that fit, where those are equal their
    ends, and where ends are equal, both ends."""
    found = list(names)
    long = [at for at, name in enumerate(names) if len(name) > width]
    for shown in (_path, _fitted, _both_ends):
        same = _shared_folders([names[at] for at in long])
        for at in long:
            found[at] = shown("/".join(names[at].split("/")[same:]), width)
        count = Counter(found)
        long = [at for at in long if count[found[at]] > 1]
    return found


def _shared_folders(names: Sequence[str]) -> int:
    """How many parts all paths begin with; the last part of each is not one of them."""
    columns = list(zip(*(name.split("/")[:-1] for name in names), strict=False))
    return next((at for at, parts in enumerate(columns) if len(set(parts)) > 1), len(columns))


def _numbered(names: Sequence[str], width: int) -> list[str]:
    """Names of which the second and later equal ones have a number."""
    taken = set(names)
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else _free(name, seen[name], width, taken))
    return found


def _free(name: str, number: int, width: int, taken: set[str]) -> str:
    """The name with the first number from this one up that no other name has."""
    while True:
        mark = f" #{number}"
        wanted = _fitted(name, width - len(mark)) + mark
        if wanted not in taken:
            taken.add(wanted)
            return wanted
        number += 1


def _fitted(name: str, width: int) -> str:
    return name if len(name) <= width else f"…{name[len(name) - width + 1:]}"


def _path(name: str, width: int) -> str:
    """As many parts of a path as fit; the end of a name that is not a path."""
    parts = name
    while len(parts) > width and "/" in parts:
        parts = parts.rpartition("/")[0]
    return parts if 0 < len(parts) <= width else _fitted(name, width)


def _both_ends(name: str, width: int) -> str:
    if len(name) <= width:
        return name
    head = width // 2
    return f"{name[:head]}…{name[len(name) - (width - head - 1):]}"
