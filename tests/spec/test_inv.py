# SPDX-License-Identifier: Apache-2.0
"""./inv: what each task gets installed, once, and what is said meanwhile; pip is played."""

import shutil
import subprocess
import sys

import pytest

PYTHON = """#!/bin/sh
# Plays the Python of .venv: writes down how pip is called, and says what pip says.
case "$*" in
    "-c import pip") exit 0 ;;
    *" install --disable"*)
        for last in "$@"; do :; done
        echo "$last" >>"$0.calls"
        echo "Collecting one"
        echo "  Downloading https://pypi.example/packages/one-1.0.whl (9 kB)"
        [ ! -e "$0.broken" ] || { echo "ERROR: No matching distribution found for one"; exit 1; }
        echo "Installing collected packages: one, two" ;;
    *) echo "ran $*" ;;
esac
"""


@pytest.fixture
def checkout(root, tmp_path, need):
    need("cc")
    for name in ("inv", "pyproject.toml", "setup.py"):
        shutil.copy(root / name, tmp_path)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


@pytest.fixture
def inv(checkout):
    """Run ./inv; its status, and what it says on both streams."""

    def run(*words):
        done = subprocess.run([checkout / "inv", *words], env={"PATH": "/usr/bin:/bin",
                                                               "PYTHON": sys.executable},
                              text=True, capture_output=True, check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def installed(checkout):
    """What pip was asked for, in order; the extra's name where it is this project."""
    calls = checkout / ".venv/bin/python.calls"
    return lambda: [line.partition("[")[2].rstrip("]") or line
                    for line in (calls.read_text().splitlines() if calls.exists() else ())]


@pytest.mark.parametrize(("words", "packages"), [
    ((), ["build"]), (("boards",), ["build"]), (("demo",), ["build", "scikit-learn"]),
    (("docs",), ["build,docs"]), (("package",), ["build,package"]),
    (("test", "--all"), ["dev"]), (("lint",), ["dev"]), (("demo", "test"), ["dev"])])
def test_a_task_gets_what_it_needs_and_only_once(inv, installed, words, packages):
    for _ in range(2):
        status, said, _ = inv(*words)
        assert status == 0 and said.startswith("ran -m invoke") and installed() == packages


def test_what_was_installed_for_more_is_enough_for_less(inv, installed):
    for word in ("test", "demo", "build"):
        inv(word)
    assert installed() == ["dev"]
    inv("package")  # has tools of its own
    assert installed() == ["dev", "build,package"]


def test_a_changed_project_is_installed_again(checkout, inv, installed):
    inv("build")
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    inv("build")
    assert installed() == ["build", "build"]


def test_progress_names_the_task_what_is_fetched_and_the_time(inv):
    _, _, said = inv("demo")
    first, *lines = said.splitlines()
    assert first.startswith("inv: first use of 'demo'")
    assert any(line.endswith("s  downloading one-1.0.whl (9 kB)") for line in lines)
    assert "MB" in lines[-1] and all(line.startswith("inv: ") for line in lines)


def test_a_failing_pip_ends_with_its_error_and_is_asked_again(checkout, inv, installed):
    broken = checkout / ".venv/bin/python.broken"
    broken.touch()
    status, printed, said = inv("test")
    assert status == 2 and printed == ""
    assert said.splitlines()[-2] == "ERROR: No matching distribution found for one"
    assert "pip could not install" in said.splitlines()[-1]
    broken.unlink()
    assert inv("test")[0] == 0 and installed() == ["dev", "dev"]
