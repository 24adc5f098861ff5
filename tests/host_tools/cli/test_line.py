# SPDX-License-Identifier: Apache-2.0
"""The command starts at once: a verb imports what it needs and nothing else."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HEAVY = {"numpy", "PIL", "tqdm", "cffi", "flatbuffers", "edgefm.planner", "edgefm.compiler",
         "edgefm.codecs", "edgefm.package.container"}
MOST_SECONDS = 0.5      # of processor time; some 0.05 to 0.15 where nothing else runs
PROBE = """
import json, sys
from host_tools.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)
"""


def _run(root: Path, *words: str, boards: Path) -> tuple[int, set[str], str]:
    done = subprocess.run([sys.executable, "-c", PROBE, *words], cwd=root, capture_output=True,
                          env={**os.environ, "EDGEFM_BOARDS": str(boards)}, text=True, check=True,
                          timeout=60)
    status, modules = json.loads(done.stderr.splitlines()[-1])
    return status, set(modules), done.stdout


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["help"], ["devs"], ["ls", "--help"]])
def test_help_and_the_list_of_boards_import_nothing_heavy(root: Path, tmp_path: Path,
                                                          words: list[str]) -> None:
    status, modules, printed = _run(root, *words, boards=tmp_path)
    assert status == 0 and printed and not modules & HEAVY
    if words != ["devs"] and "ls" not in words:
        assert "serial" not in modules and "host_tools.link.session" not in modules


def test_verbs_that_run_nothing_import_nothing_heavy(root: Path, tmp_path: Path, line: str) -> None:
    words = ["connect", line, "ls", "+", "df", "+", "fs", "ls", ":", "+", "soft-reset"]
    status, modules, printed = _run(root, *words, boards=tmp_path)
    assert status == 0 and "largest" in printed and not modules & HEAVY
    for verb in (["rm", ":a"], ["sha256sum", ":a"], ["cat", ":a"], ["ls", ":a"]):
        status, modules, _ = _run(root, "connect", line, *verb, boards=tmp_path)
        assert status == 2 and not modules & HEAVY


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["devs"], ["ls"]])
def test_the_command_starts_at_once(root: Path, tmp_path: Path, words: list[str],
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEFM_BOARDS", str(tmp_path))
    took = []
    for _ in range(3):
        before = _children()
        subprocess.run([sys.executable, "-m", "host_tools.cli", *words], cwd=root, check=False,
                       capture_output=True, timeout=60)
        took.append(_children() - before)
    assert min(took) < MOST_SECONDS


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_version_is_a_word_and_an_option(edgefm: Callable[..., str]) -> None:
    assert edgefm("--version") == edgefm("version")
    assert edgefm("version").startswith("edgefm ")
