# SPDX-License-Identifier: Apache-2.0
"""Where units run is said with an address; what is wrong with it is one line."""

from collections.abc import Callable

import pytest

from edgefm.errors import BadInput, MissingTool
from edgefm.evaluate import executors as module
from edgefm.evaluate.executors import executor


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "tcp://127.0.0.1:abc"])
def test_a_scheduler_that_does_not_answer_is_named(address: str, need_module: Callable[[str], None],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    need_module("distributed")
    monkeypatch.setattr(module, "_SECONDS", 1)
    with pytest.raises(BadInput, match=f"{address}: no Dask scheduler answers"), executor(address):
        pass


def test_without_dask_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    with pytest.raises(MissingTool, match=r"pip install 'edgefm\[cluster\]'"), executor("tcp://a:1"):
        pass
