# SPDX-License-Identifier: Apache-2.0
"""Check the English of comments, strings and documents: every line says what to write instead.

There are few patterns, and each one is wrong wherever it matches. The phrases that a pattern must
let through are a part of it (`right`), so there is no list of files or lines to keep.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = ("*.py", "*.c", "*.h", "*.md")
QUOTING = ("tools/words.py", "tests/spec/test_words.py")  # they name what they refuse

_BE = "(?:is|are|was|were|be|been)"
_IZE = ("author|canonical|categor|central|character|custom|discret|emphas|equal|factor|final|"
        "general|initial|linear|local|maxim|memor|minim|normal|optim|organ|parallel|penal|"
        "priorit|quant|random|real|recogn|regular|serial|special|stabil|standard|summar|"
        "synchron|token|util|vector|visual")
_GAP = r"(?:\s|[#*\"']|\bf\")+"  # between two words, also where a comment or a string is broken


class Rule(NamedTuple):
    """What not to write, as a regular expression in lower case where a space is any gap; what to
    write instead; and which phrases that look like it are right."""

    wrong: str
    instead: str
    right: str = ""

    def pattern(self) -> re.Pattern[str]:
        """Finds both; its group `wrong` holds what is wrong."""
        before = f"{self.right}|" if self.right else ""
        return re.compile(f"{before}(?P<wrong>{self.wrong})".replace(" ", _GAP))


RULES = (
    Rule(rf"\b{_BE} no [a-z]\w*", '"is not a …"', right=(
        rf"\bthere (?:\w+ )?{_BE} no\b|"
        rf"\b{_BE} no (?:longer|more|less|better|worse|\w+er than)\b")),
    Rule(r"[,;:] met\b|\bwhat (?:is |was )?met\b", '"got" or "found"'),
    Rule(r"\banew\b", '"again"'),
    Rule(r"\bwho(?:m|so)?ever\b", "the actor: the caller, the reader, the program that …"),
    Rule(r"\b(?:nobody|somebody|everybody)\b", "the actor, or the passive voice",
         right=r"\b(?:nobody|somebody|everybody) else\b"),
    Rule(r"\bwho (?:reads|writes|makes|codes|sets|gets|needs)\b", '"what" or "which operator"'),
    Rule(r"\bso (?:many|often)\b", 'the number, or "this many"',
         right=r"\bso (?:many|often) that\b"),
    Rule(r"\bwhat is left\b", '"the rest" or "the remainder"', right=r"\bwhat is left out\b"),
    Rule(r"\bcomes? none\b", '"none comes"'),
    Rule(r"\bthen (?:comes?|lie|stand|follow)\b|"
         r"\b(?:before|behind|after) (?:it|them|that) (?:comes?|lies?|stands?|follows?)\b",
         "the subject first"),
    Rule(r"\bone behind the other\b", '"one after another"'),
    Rule(r"\bfor want of\b", '"because there is no …"'),
    Rule(r"\bnought\b", '"zero"'),
    Rule(r"\b(?:centre[ds]?|colour\w*|behaviour\w*|neighbour\w*|favour\w*|honour\w*|artefacts?|"
         r"(?:un)?labell(?:ed|ing)|modell(?:ed|ing)|cancell(?:ed|ing)|analys(?:e|ed|ing)|licences?|"
         r"grey)\b", "the American spelling"),
    Rule(rf"\b(?:un|re|de)?(?:{_IZE})is(?:e|es|ed|er|ing|ation)\b", "-ize"),
)
_PATTERNS = [(rule.pattern(), rule.instead) for rule in RULES]


class Refused(NamedTuple):
    """A phrase that a rule refuses, and where it is."""

    where: str
    line: int
    phrase: str
    instead: str

    def __str__(self) -> str:
        return f"{self.where}:{self.line}: got {self.phrase!r}, expected {self.instead}"


def _python_prose(text: str) -> Iterator[range]:
    """Comments and strings, as positions in the text."""
    begins = [0]
    for line in io.StringIO(text):
        begins.append(begins[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or "STRING" in tokenize.tok_name[token.type]:
            (first, left), (last, right) = token.start, token.end
            yield range(begins[first - 1] + left, begins[last - 1] + right)


def _c_prose(text: str) -> Iterator[range]:
    for match in re.finditer(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', text, re.DOTALL):
        yield range(*match.span())


def _document_prose(text: str) -> Iterator[range]:
    """All but blocks of code."""
    begin = 0
    for match in re.finditer(r"^```.*?^```", text, re.DOTALL | re.MULTILINE):
        yield range(begin, match.start())
        begin = match.end()
    yield range(begin, len(text))


_PROSE = {".py": _python_prose, ".md": _document_prose, ".c": _c_prose, ".h": _c_prose}


def refused(where: str, text: str) -> list[Refused]:
    """What the rules refuse in the prose of a file; `where` is its name."""
    lower = text.lower()
    hits = [(match, instead) for pattern, instead in _PATTERNS
            for match in pattern.finditer(lower) if match["wrong"]]
    parts = list(_PROSE[Path(where).suffix](text)) if hits else []
    return [Refused(where, text.count("\n", 0, match.start()) + 1,
                    re.sub(_GAP, " ", match["wrong"]), instead)
            for match, instead in hits if any(match.start() in part for part in parts)]


def files() -> list[str]:
    """The files that git knows or would add, from the root on."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z", *SUFFIXES],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in sorted(set(listed.split("\0")) - {"", *QUOTING})
            if (ROOT / name).is_file()]


def main() -> int:
    """Print what is refused; 1 when there is something."""
    found = [one for name in files()
             for one in refused(name, (ROOT / name).read_text(encoding="utf-8"))]
    for one in found:
        print(one)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
