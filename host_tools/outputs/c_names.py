# SPDX-License-Identifier: Apache-2.0
"""The names that a C file of the runtime defines at file scope, and how to change them.

Reads the C of this project, whose one style is tested; it is not a C parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

_TOKEN = re.compile(r"""/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\w+|\#\#|->|[^\w]""",
                    re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]\w*")
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|/\*.*?\*/|[^\n])*", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)")
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
LOCAL = frozenset({"static", "EFM_INLINE", "EFM_SHARED", "EFM_SHARED_INLINE", "EFM_SPLIT",
                   "EFM_TRANSFER", "EFM_VECTOR"})
_OPENING, _CLOSING = "([{", ")]}"


def without_comments(text: str) -> str:
    """The text with a space for each comment."""
    return _COMMENT.sub(" ", text)


def macros(text: str) -> list[str]:
    """Every macro that a file defines, once, in order."""
    return list(dict.fromkeys(_MACRO.findall(without_comments(text))))


def defined(text: str) -> set[str]:
    """Types, tags, enumerators, static objects and functions that a file defines."""
    return {name for statement in _statements(text) for name in _names(statement)}


def _statements(text: str) -> Iterator[list[str]]:
    """Statements at file scope, word by word; a function's ends with its body."""
    plain = _ATTRIBUTE.sub(" ", _DIRECTIVE.sub("", without_comments(text)))
    depth, words = 0, list[str]()
    for word in _TOKEN.findall(plain):
        if word.isspace():
            continue
        words.append(word)
        depth += (word in _OPENING) - (word in _CLOSING)
        if depth == 0 and _is_whole(words):
            yield words
            words = []


def _is_whole(words: Sequence[str]) -> bool:
    """Whether brackets that match are all of a statement, a function, or a macro's call."""
    if words[-1] == "}":
        return words[0] != "typedef" and words[words.index("{") - 1] == ")"
    return words[-1] == ";" or (words[-1] == ")" and words[1] == "(" and words[0].isupper())


def _names(words: Sequence[str]) -> Iterator[str]:
    """What one statement defines."""
    kind = next((word for word in words[:3] if word in ("enum", "struct", "union")), None)
    if kind and "{" in words:
        body = words.index("{")
        end = body + _length(words[body:])
        if words[body - 1] != kind:
            yield words[body - 1]
        if kind == "enum":
            yield from _enumerators(words[body + 1:end])
        words = [words[0], kind, *words[end + 1:]]
        if len(words) == 3:
            return
    if words[0] == "typedef" or (LOCAL & set(words[:3]) and not _is_prototype(words)):
        yield from _declared(words)


def _length(words: Sequence[str]) -> int:
    """How many words on the bracket that the first one opens is closed."""
    depth = 0
    for at, word in enumerate(words):
        depth += (word in _OPENING) - (word in _CLOSING)
        if depth == 0:
            return at
    return len(words) - 1


def _enumerators(words: Sequence[str]) -> Iterator[str]:
    depth, before = 0, ","
    for word in words:
        depth += (word in _OPENING) - (word in _CLOSING)
        if depth < 0:
            return
        if depth == 0 and before == "," and _WORD.fullmatch(word):
            yield word
        before = word


def _is_prototype(words: Sequence[str]) -> bool:
    """Whether a statement that ends with `;` declares a function, and defines nothing."""
    first = words.index("(") if "(" in words and words[-1] == ";" else len(words)
    return "=" not in words[:first] and first < len(words) and words[first + 1] != "*"


def _declared(words: Sequence[str]) -> Iterator[str]:
    """The name in a declaration: in `(*name[…])(…)`, or in front of what is not a word."""
    end = next((at for at, word in enumerate(words) if word in "([{=;"), len(words))
    if end + 1 < len(words) and words[end] == "(" and words[end + 1] == "*":
        inside = [word for word in words[end + 2:] if word != "const"]
        yield inside[0]
    elif end > 1 and _WORD.fullmatch(words[end - 1]):
        yield words[end - 1]


def renamed(text: str, names: Mapping[str, str], pasted: str) -> str:
    """The text with other names, but for fields, comments and strings.

    What begins a name that a macro pastes together (`make_##count`) gets `pasted` in front.
    """
    words, out = _TOKEN.findall(text), list[str]()
    solid = [at for at, word in enumerate(words) if not word.isspace()]
    around = {at: (words[before] if before >= 0 else "", words[after] if after >= 0 else "")
              for before, at, after in zip([-1, *solid], solid, [*solid[1:], -1], strict=False)}
    field = _fields(words, solid)
    for at, word in enumerate(words):
        before, after = around.get(at, ("", ""))
        if not _WORD.fullmatch(word) or before in (".", "->") or at in field:
            out.append(word)
        elif after == "##" and before != "##" and not word.upper().startswith("EFM_"):
            out.append(pasted + word)
        else:
            out.append(names.get(word, word))
    return "".join(out)


def _fields(words: Sequence[str], solid: Sequence[int]) -> set[int]:
    """Where fields of structs are declared: names in front of `;`, `,` or `[` in their bodies."""
    found, inside = set[int](), 0
    for number, at in enumerate(solid):
        word, before = words[at], [words[back] for back in solid[max(0, number - 2):number]]
        if word == "{" and (inside or {"struct", "union"} & set(before)):
            inside += 1
        elif word == "}" and inside:
            inside -= 1
        elif inside and number + 1 < len(solid) and words[solid[number + 1]] in ";,[:":
            found.add(at)
    return found
