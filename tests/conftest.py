# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for: programs, Python packages, and the folder of real models."""

import os
import shutil
import signal
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from native_build import native_lib, native_program
from running_boards import boards_folder, start
from sim_board import firmware, sim

__all__ = ["boards_folder", "firmware", "native_lib", "native_program", "sim", "start"]  # fixtures

ROOT = Path(__file__).resolve().parent.parent
LONG = "takes long; ./inv test --all runs it, as CI does"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--all` runs long tests too."""
    parser.addoption("--all", action="store_true", help="run tests that are marked long, too")


def pytest_configure(config: pytest.Config) -> None:
    """The one marker: a test that a developer can wait for CI to run."""
    config.addinivalue_line("markers", "long: takes long and finds little that shorter tests miss")
    for number, usual in ((signal.SIGINT, signal.default_int_handler),
                          (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:  # as a shell starts what it puts behind it
            signal.signal(number, usual)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip long tests unless they are asked for."""
    if not config.getoption("--all"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason=LONG))


def _lacks(what: str) -> None:
    """Skip with a reason; on CI, which installs every tool, a lack is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have {what}", pytrace=False)
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """`need("qemu-arm")` gives the program's path, or skips the test."""

    def find(program: str) -> str:
        path = shutil.which(program)
        if path is None:
            _lacks(f"the program {program}")
        return str(path)

    return find


@pytest.fixture(scope="session")
def need_module() -> Callable[[str], None]:
    """`need_module("onnx")` skips the test when that Python package is not installed."""

    def find(module: str) -> None:
        # Not importlib.util.find_spec, which asks setuptools too: where it hears of pip, it takes
        # its distutils back, and this process compiles nothing from then on.
        if PathFinder.find_spec(module) is None:
            _lacks(f"the Python package {module}")

    return find


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real models and pictures; tests that need it are skipped without it."""
    named = os.environ.get("EDGEFM_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "models").is_dir():
        pytest.skip("needs the real models: EDGEFM_DATA names no folder with models/ in it")
    return folder
