# SPDX-License-Identifier: Apache-2.0
"""Check the documents: no dead link, no block of code that no test tries, few long sentences."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TRIED = ("python", "c", "sh", "toml", "json", "transcript")  # languages that tests try
LONG = 30         # words of a sentence
MOST_LONG = 0.05  # of a document's sentences
# Documents that have more. A share may only fall: an editor of one makes its sentences shorter.
STILL_LONG = {"CODECS.md": 0.17, "FORMAT.md": 0.18, "PERFORMANCE.md": 0.07, "RESULTS.md": 0.12}
_FENCE = re.compile(r"(?:^<!-- tried: (\S+) -->\n+)?^ *```(\S*)[^\n]*\n(.*?)^ *```\s*?$",
                    re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


class Block(NamedTuple):
    """A block of code of a document; `language` is empty for drawings and what is printed. `test`
    is the file that a comment before the block names (`<!-- tried: tests/x/test_y.py -->`): that
    test tries the block, and those of tests/spec leave it alone."""

    path: Path
    line: int
    language: str
    text: str
    test: str = ""


def documents(root: Path = ROOT) -> list[Path]:
    """Every document, the README first."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def blocks(path: Path) -> Iterator[Block]:
    """The blocks of code between fences."""
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(path, text.count("\n", 0, found.start(2)) + 1, found[2], found[3],
                    found[1] or "")


def prose(text: str) -> str:
    """A document without code, tables, headings and comments."""
    text = re.sub(r"<!--.*?-->", "", _FENCE.sub("\n", text), flags=re.DOTALL)
    kept = [line for line in text.splitlines()
            if not line.startswith(("    ", "|", "#")) or line.lstrip().startswith(("* ", "- "))]
    return "\n".join(kept)


def sentences(text: str) -> list[str]:
    """The sentences of a document's prose; an item of a list is a paragraph."""
    found = []
    for paragraph in re.split(r"\n\s*\n|\n\s*(?:[*-]|\d+\.) ", prose(text)):
        plain = re.sub(r"`[^`]*`", "X", _LINK.sub("X", " ".join(paragraph.split())))
        found += [one for one in re.split(r"(?<=[.!?:])\s+(?=[A-Z0-9X`*\"(])", plain) if one]
    return found


def anchor(heading: str) -> str:
    """A heading's name in a link, as GitHub and the site have it."""
    text = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r"\s", "-", re.sub(r"[^\w\- ]", "", text))


def dead_links(path: Path) -> Iterator[str]:
    """Links of a document to files or headings that are not there."""
    text = path.read_text(encoding="utf-8")
    for link in _LINK.findall(_FENCE.sub("", text)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, heading = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists():
            yield f"{path.relative_to(ROOT)}: dead link {link}"
        elif heading and target.suffix == ".md":
            known = {anchor(one) for one in _HEADING.findall(
                _FENCE.sub("", target.read_text(encoding="utf-8")))}
            if heading not in known:
                yield f"{path.relative_to(ROOT)}: no heading for {link}"


def untried(path: Path) -> Iterator[str]:
    """Blocks that no test tries: neither that of their language nor one that speaks of the file."""
    for block in blocks(path):
        test = ROOT / block.test
        if block.test and not (test.is_file() and path.name in test.read_text(encoding="utf-8")):
            yield (f"{path.relative_to(ROOT)}:{block.line}: got {block.test}, expected a test that "
                   f"tries {path.name}")
        elif not block.test and block.language not in ("", "text", *TRIED):
            yield (f"{path.relative_to(ROOT)}:{block.line}: got a block of {block.language}, "
                   f"expected one of {', '.join(TRIED)}, no language for what is not code, or the "
                   "test that tries it before the block: <!-- tried: tests/x/test_y.py -->")


def long_sentences(path: Path) -> Iterator[str]:
    """What to say of a document that has too many sentences of more than LONG words."""
    every = sentences(path.read_text(encoding="utf-8"))
    tedious = [one for one in every if len(one.split()) > LONG]
    most = STILL_LONG.get(path.name, MOST_LONG)
    if len(tedious) > most * len(every):
        name = path.relative_to(ROOT)
        yield from (f"{name}: {len(one.split())} words: {one}" for one in tedious)
        yield (f"{name}: {len(tedious)} of {len(every)} sentences have over {LONG} words, "
               f"expected at most {most:.0%}")


def main() -> int:
    """Print what is wrong; 1 when there is something."""
    wrong = [line for path in documents()
             for check in (dead_links, untried, long_sentences) for line in check(path)]
    for line in wrong:
        print(line)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
