# SPDX-License-Identifier: Apache-2.0
"""Boards that run as processes of this machine, for tests that drive them."""

from collections.abc import Callable, Iterator

import pytest

from host_tools.boards import build, running
from host_tools.boards.flash import flash
from host_tools.boards.launch import emulator_of
from host_tools.boards.running import Running


@pytest.fixture(scope="module")
def boards_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Boards of these tests are nobody else's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEFM_BOARDS", str(tmp_path_factory.mktemp("boards")))
        yield
        for board in running.running():
            running.stop(board)


@pytest.fixture(scope="module")
def start(need: Callable[..., str], boards_folder: None) -> Callable[[str], Running]:
    """Start a board once; further calls find it."""
    started: dict[str, Running] = {}

    def find(name: str) -> Running:
        if name not in started:
            made = build.recipe(name)
            tool = "process" if "process" in made.flash else "qemu"
            need(made.compiler)
            need(*made.flash[tool].get("runner", [emulator_of(made.flash[tool])]))
            board = flash(name, made.flash, build.build(name), tool=tool, say=lambda line: None)
            assert board is not None
            started[name] = board
        return started[name]

    return find
