# SPDX-License-Identifier: Apache-2.0
"""Build the docs site into dist/docs: it opens from disk and loads nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.docsite.reference import PAGES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "build" / "docs"  # where the pages are put together; mkdocs.yml names it
SITE = ROOT / "dist" / "docs"
SETTINGS = ROOT / "docs" / "mkdocs.yml"
QUIET = {"NO_MKDOCS_2_WARNING": "1"}  # Material's notice about another program
_LINK = re.compile(r"(!?\[[^\]]*\])\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_ELSEWHERE = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^>]*>")


def main() -> int:
    """Build; 2 after a line that says what is missing, 1 after what MkDocs refuses."""
    if importlib.util.find_spec("material") is None:
        print("docs: needs MkDocs; pip install 'edgefm[docs]'", file=sys.stderr)
        return 2
    assemble(SOURCES)
    settings = ROOT / "build" / "mkdocs.yml"
    settings.write_text(SETTINGS.read_text(encoding="utf-8") + more(SOURCES), encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f",
                           str(settings)], check=False, env={**os.environ, **QUIET})
    if done.returncode:
        return 1
    (SITE / "404.html").unlink(missing_ok=True)  # of a server; here its links lead nowhere
    for page in (loaded := list(loads(SITE))):
        print(page)
    print(f"{SITE / 'index.html'}: open it in a browser")
    return int(bool(loaded))


def assemble(folder: Path) -> None:
    """The documents of the tree and the pages made from sources, with links among themselves."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder, ignore=shutil.ignore_patterns("mkdocs.yml"))
    shutil.copy(ROOT / "README.md", folder / "index.md")
    for name, make in PAGES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(make(), encoding="utf-8")
    for path in folder.rglob("*.md"):
        path.write_text(_linked(path.read_text(encoding="utf-8"), path, folder), encoding="utf-8")


def more(folder: Path) -> str:
    """Lines for the end of the navigation: pages that it lacks, by their titles."""
    text = SETTINGS.read_text(encoding="utf-8")
    named = set(re.findall(r": (\S+\.md)$", text, re.MULTILINE))
    there = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.md"))
    lines = [f"      - {name}\n" for name in there if name not in named]
    return "".join(["  - More:\n", *lines]) if lines else ""


def _linked(text: str, path: Path, folder: Path) -> str:
    """Links of the README lose `docs/`; links to files that the site lacks become words."""
    def one(found: re.Match[str]) -> str:
        name = re.sub(r"^(\.\./)*docs/", "", found[2]) if path.name == "index.md" else found[2]
        name = "index.md" if name.endswith("README.md") else name
        if name == "index.md":
            name = "../" * (len(path.relative_to(folder).parts) - 1) + name
        there = (path.parent / name).is_file()
        return f"{found[1]}({name}{found[3] or ''})" if there else found[1][1:-1]

    return _LINK.sub(one, text)


def loads(site: Path) -> Iterator[str]:
    """Pages that would load something from elsewhere."""
    for page in sorted(site.rglob("*.html")):
        for found in _ELSEWHERE.findall(page.read_text(encoding="utf-8")):
            if 'rel="canonical"' not in found:
                yield f"{page.relative_to(site)}: loads {found[:120]}"


if __name__ == "__main__":
    sys.exit(main())
