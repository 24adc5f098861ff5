# SPDX-License-Identifier: Apache-2.0
"""The runtime as one C file and one header.

The C file has the headers first, each once, and then the C files. A header whose functions depend
on the file that includes it (it is for EFM_TARGET, or its names lack the prefix `efm_`) comes again
in each of these files. Names of file scope that two files have are told apart by a file's own
prefix, its macros end with it.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgefm.errors import BadInput
from host_tools.outputs.c_names import defined, macros, renamed, without_comments

_SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"[^\n]*\n', re.MULTILINE)
_CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|endif)\b", re.MULTILINE)
_GUARD = re.compile(r"\A(?:\s|/\*.*?\*/)*#ifndef \w+_H\n", re.DOTALL)
_PUBLIC = ("include/edgefm_status.h", "include/edgefm.h")
_VERSION = re.compile(r'#define EFM_VERSION +"(.+)"')
_TARGET = re.compile(r"\bEFM_TARGET\b")
_HEAD = """\
/* The runtime of edgefm {version} in one file, made of native/src by `edgefm export --amalgamated`.
 * Compile it as C11 with -ffp-contract=off, beside edgefm.h. */
#if defined(__clang__) /* which does not take all of this for headers, as it did */
#pragma clang diagnostic ignored "-Wunused-function"
#endif
"""


@dataclass(frozen=True, slots=True)
class _Tree:
    """The runtime's files by path, and what is known of its headers."""

    files: Mapping[str, str]
    private: frozenset[str]   # headers that come again in each file
    lists: frozenset[str]     # headers without a guard, read where a macro is defined for them


def amalgamated(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`edgefm.h` and `edgefm.c` of the runtime's files (`include/…`, `src/…`).

    Raises BadInput where a file includes one that is not among them.
    """
    tree = _tree({path: data.decode() for path, data in files.items()})
    head = _SPDX + _HEAD.format(version=_VERSION.findall(tree.files["include/edgefm.h"])[0])
    return {"edgefm.h": (_SPDX + "".join(_public(tree.files))).encode(),
            "edgefm.c": (head + "".join(_runtime(tree))).encode()}


def _tree(files: Mapping[str, str]) -> _Tree:
    headers = {path: text for path, text in files.items() if path.endswith(".h")}
    lists = frozenset(path for path, text in headers.items() if not _GUARD.match(text))
    own = {path for path, text in headers.items()
           if _TARGET.search(without_comments(text)) or "#pragma GCC diagnostic" in text
           or any(not name.lower().startswith("efm_") for name in defined(text))}
    return _Tree(files, frozenset(_closure(files, own | _conditional(files))) - lists, lists)


def _closure(files: Mapping[str, str], private: set[str]) -> set[str]:
    """These headers, and all that include one of them."""
    while True:
        more = {path for path, text in files.items() if path.endswith(".h")
                and any(name in private for name, _ in _includes(files, path, text))}
        if more <= private:
            return private
        private = private | more


def _conditional(files: Mapping[str, str]) -> set[str]:
    """Headers that are only included where the preprocessor is told so."""
    seen: dict[str, set[bool]] = {}
    for path, text in files.items():
        guard = int(path.endswith(".h") and bool(_GUARD.match(text)))
        for name, at in _includes(files, path, text):
            depth = sum(-1 if kind == "endif" else 1 for kind in _CONDITION.findall(text[:at]))
            seen.setdefault(name, set()).add(depth > guard)
    return {name for name, how in seen.items() if how == {True}}


def _includes(files: Mapping[str, str], path: str, text: str) -> Iterator[tuple[str, int]]:
    """The project's files that one includes, and where."""
    for found in _INCLUDE.finditer(text):
        yield _resolved(files, path, found[1]), found.start()


def _resolved(files: Mapping[str, str], path: str, name: str) -> str:
    near = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    for one in (near, f"include/{name}"):
        if one in files:
            return one
    raise BadInput(f"{path} includes {name!r}, which is not among the runtime's files")


def _public(files: Mapping[str, str]) -> Iterator[str]:
    for path in _PUBLIC:
        yield "\n" + _INCLUDE.sub("", _body(files[path]))


def _body(text: str) -> str:
    """A file without its license line."""
    return text.removeprefix(_SPDX)


def _runtime(tree: _Tree) -> Iterator[str]:
    """The C file: shared headers, then sections."""
    yield '\n#define EFM_AMALGAMATED 1\n#include "edgefm.h"\n'
    done = set(_PUBLIC)
    for path in sorted(tree.files):
        yield from _shared(tree, path, done)
    sections = {path: _section(tree, path) for path in sorted(tree.files) if path.endswith(".c")}
    shared = "".join(text for path, text in tree.files.items()
                     if path.endswith(".h") and path not in tree.private)
    homes = Counter(name for text in (shared, *sections.values()) for name in defined(text))
    twice = {name for name, count in homes.items() if count > 1}
    for path, text in sections.items():
        yield from _told_apart(path, text, twice)


def _shared(tree: _Tree, path: str, done: set[str]) -> Iterator[str]:
    """The headers below a file that are not there yet, lowest first."""
    for name, _ in _includes(tree.files, path, tree.files[path]):
        yield from _shared(tree, name, done)
    if path.endswith(".h") and path not in done | tree.private | tree.lists:
        done.add(path)
        yield f"\n/* {path} */\n" + _inlined(tree, path)


def _section(tree: _Tree, path: str) -> str:
    return f"\n/* {path} */\n" + _inlined(tree, path)


def _inlined(tree: _Tree, path: str) -> str:
    """A file with its private headers and lists in it, and without other includes of ours."""

    def replace(found: re.Match[str]) -> str:
        name = _resolved(tree.files, path, found[1])
        return _inlined(tree, name) if name in tree.private | tree.lists else ""

    return _INCLUDE.sub(replace, _body(tree.files[path]))


def _told_apart(path: str, text: str, twice: set[str]) -> Iterator[str]:
    """A section with names of its own, whose macros and warnings end with it."""
    own = re.sub(r"\W", "_", path.removeprefix("src/").removesuffix(".c")) + "_"
    names = {name: own + name for name in defined(text) & twice}
    warnings = "#pragma GCC diagnostic" in text
    yield "#pragma GCC diagnostic push\n" if warnings else ""
    yield renamed(text, names, own)
    yield "".join(f"#undef {name}\n" for name in macros(text))
    yield "#pragma GCC diagnostic pop\n" if warnings else ""
