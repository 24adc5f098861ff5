# SPDX-License-Identifier: Apache-2.0
"""Documents are sound: links lead somewhere, code in them was tried, and few sentences are long."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.cli.line import _commands
from host_tools.cli.parsing import parse
from tools import docs
from tools.docsite import drawings

ROOT = Path(__file__).resolve().parents[2]
SHELL = {"pip", "git", "cd", ".", "./inv", "edgefm", "cmake", "make", "mpremote", "python", "sudo",
         "export", "printf", "socat"}
NAMES = [str(path.relative_to(ROOT)) for path in docs.documents()]


def lines(path: Path) -> Iterator[str]:
    """The commands of a document, in blocks for the shell and in indented ones."""
    for block in docs.blocks(path):
        if block.language == "sh" and not block.test:
            yield from block.text.replace("\\\n", " ").splitlines()
    text = re.sub(r"\n {6,}", " ", path.read_text(encoding="utf-8"))
    for line in text.splitlines():
        if line.startswith("    edgefm ") and "…" not in line:
            yield line


def test_the_documents_have_no_finding(root: Path) -> None:
    done = subprocess.run([sys.executable, "tools/docs.py"], cwd=root, text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("text", "finding"), [
    ("[a](none.md)", "dead link none.md"),
    ("![a](none.svg)", "dead link none.svg"),
    ("[a](#not-there)", "no heading for #not-there"),
    ("```rust\nfn a() {}\n```", "got a block of rust"),
    ("<!-- tried: tests/none.py -->\n```python\nx\n```", "got tests/none.py, expected a test"),
    ("<!-- tried: README.md -->\n```python\nx\n```", "got README.md, expected a test that tries a"),
    ("One. " + "Word " * 31 + "end.", "1 of 2 sentences have over 30 words"),
])
def test_a_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str,
                          finding: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Fine\n", encoding="utf-8")
    (tmp_path / "docs" / "a.md").write_text(f"# Title\n\n{text}\n", encoding="utf-8")
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    paths = docs.documents(tmp_path)
    assert len(paths) == 2
    found = [line for path in paths
             for check in (docs.dead_links, docs.untried, docs.long_sentences)
             for line in check(path)]
    assert found and finding in found[-1] and all(line.startswith("docs/a.md") for line in found)


def test_what_is_right_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "README.md"
    path.write_text("# One `thing`, at last\n\n[a](#one-thing-at-last) [b](https://c.d)\n\n```\n[x](y)\n"
                    "```\n\n```python\nx\n```\n", encoding="utf-8")
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    assert [*docs.dead_links(path), *docs.untried(path), *docs.long_sentences(path)] == []
    (tmp_path / "test_a.py").write_text("README.md", encoding="utf-8")
    path.write_text("<!-- tried: test_a.py -->\n```rust\nx\n```\n", encoding="utf-8")
    assert list(docs.untried(path)) == [] and [b.test for b in docs.blocks(path)] == ["test_a.py"]


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_those_that_there_are(root: Path, name: str) -> None:
    tasks = (root / "tasks.py").read_text(encoding="utf-8")
    for line in lines(root / name):
        words = shlex.split(line, comments=True)
        if not words or "=" in words[0]:
            continue
        assert words[0] in SHELL, f"{name}: {line}: add {words[0]!r} to SHELL if it is right"
        if words[0] == "edgefm":
            for command in _commands(words[1:]):
                parse(command)
        if words[0] == "./inv" and len(words) > 1:
            assert f"\ndef {words[1]}(" in tasks, line
            options = [word.split("=")[0][2:] for word in words[2:] if word.startswith("--")]
            body = tasks.partition(f"\ndef {words[1]}(")[2].partition(":\n")[0]
            assert all(f"{option}:" in body for option in options), line


@pytest.mark.parametrize("name", NAMES)
def test_data_can_be_read(root: Path, name: str) -> None:
    readers = {"toml": tomllib.loads, "json": json.loads}
    for block in docs.blocks(root / name):
        if block.language in readers and not block.test:
            readers[block.language](block.text)


def test_drawings_are_those_that_the_script_makes() -> None:
    for path, text in drawings.files():
        assert path.read_text(encoding="utf-8") == text, "python -m tools.docsite.drawings"
