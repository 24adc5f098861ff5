# SPDX-License-Identifier: Apache-2.0
"""The docs site has every page, its reference pages name all there is, and it loads nothing."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edgefm
from edgefm.network.operators import OPERATORS
from host_tools.boards.tree import boards
from host_tools.cli.verbs import VERBS
from tools.docsite import reference
from tools.docsite.build import assemble, loads, more


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "docs"
    assemble(folder)
    return folder


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page(root: Path, pages: Path) -> None:
    (pages / "guide/new.md").write_text("# New\n", encoding="utf-8")
    text = (root / "docs/mkdocs.yml").read_text("utf-8") + more(pages)
    named = re.findall(r"^ +- (?:.*: )?(\S+\.md)$", text, re.MULTILINE)
    there = [path.relative_to(pages).as_posix() for path in pages.rglob("*.md")]
    assert sorted(named) == sorted(there) and "  - More:\n" in text


def test_links_between_pages_lead_somewhere(pages: Path) -> None:
    for path in pages.rglob("*.md"):
        text = re.sub(r"^ *```.*?^ *```", "", path.read_text("utf-8"), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", text):
            assert (path.parent / link).is_file(), f"{path.name}: {link}"


@pytest.mark.parametrize(("page", "names"), [
    (reference.command_line, [f"### edgefm {verb}\n" for verb in VERBS]),
    (reference.python, [f"## `{name}`\n" for name in edgefm.__all__ if not name.startswith("_")]),
    (reference.operators, [f"| `{name}` |" for name in OPERATORS]),
    (reference.board_list, [f"| `{name}` |" for name in boards()]),
    (reference.c, ["efm_model_open(", "efm_run(", "EFM_OK",
                   "```c\nconst char *efm_version(void);"]),
])
def test_a_reference_page_names_everything(page: Callable[[], str], names: list[str]) -> None:
    text = page()
    assert [name for name in names if name not in text] == []


def test_every_option_is_described() -> None:
    text = reference.command_line()
    assert "--weight-codec" in text and "| `--fast SIZE` |" in text and "%%" not in text
    assert not re.search(r"\| *\|$", text, re.MULTILINE)


def test_what_a_page_would_load_is_found(tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text('<a href="https://x.org">x</a><script src="a.js"></script>')
    assert list(loads(tmp_path)) == []
    (tmp_path / "bad.html").write_text('<script src="https://x.org/a.js"></script>')
    assert len(list(loads(tmp_path))) == 1


def test_the_site_is_built_without_network(root: Path, need_module: Callable[[str], None]) -> None:
    need_module("material")
    done = subprocess.run([sys.executable, "-m", "tools.docsite.build"], cwd=root, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root / "dist/docs/guide/fit.html").is_file()
