# SPDX-License-Identifier: Apache-2.0
"""Style and types are part of the suite, so that one command checks everything."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(("tool", "arguments"), [
    ("ruff", ["check", "--quiet", "--no-cache", "--output-format=concise", "."]),
    ("mypy", ["--no-error-summary"]),
])
def test_tool_has_nothing_to_say(root: Path, need_module: Callable[[str], None], tool: str,
                                 arguments: list[str]) -> None:
    need_module(tool)
    result = subprocess.run([sys.executable, "-m", tool, *arguments], cwd=root, text=True,
                            capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_c_files_have_the_one_style(root: Path, need_module: Callable[[str], None]) -> None:
    need_module("clang_format")
    result = subprocess.run([sys.executable, "tools/c_style.py"], cwd=root, text=True,
                            capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
