# SPDX-License-Identifier: Apache-2.0
"""The script for a shell knows every verb and its options; without shtab, one line says so."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from host_tools.cli.completion import SHELLS
from host_tools.cli.verbs import VERBS

Edgefm = Callable[..., Any]


@pytest.mark.parametrize("shell", SHELLS)
def test_all_verbs_and_options_are_completed(shell: str, edgefm: Edgefm,
                                             need_module: Callable[[str], None]) -> None:
    need_module("shtab")
    script = edgefm("completion", shell)
    assert all(verb in script for verb in VERBS) and "kl-budget" in script


def test_bash_takes_the_script_and_completes_a_verb(edgefm: Edgefm, need: Callable[[str], str],
                                                    need_module: Callable[[str], None]) -> None:
    need_module("shtab")
    bash = need("bash")
    script = edgefm("completion", "bash") + (
        "COMP_WORDS=(edgefm val); COMP_CWORD=1; _shtab_edgefm; echo ${COMPREPLY[@]}\n")
    done = subprocess.run([bash], input=script, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["validate"]


def test_without_the_package_one_line_says_how_to_get_it(
        monkeypatch: pytest.MonkeyPatch, edgefm_error: Edgefm) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert "pip install 'edgefm[completion]'" in edgefm_error("completion", "bash")
    assert "invalid choice: 'tcl'" in edgefm_error("completion", "tcl")
