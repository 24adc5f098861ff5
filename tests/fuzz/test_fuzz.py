# SPDX-License-Identifier: Apache-2.0
"""Every fuzzer for a short while; `./inv fuzz` runs them for longer."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from edgefm.codecs import CODECS

SECONDS = 20
BROKEN = """
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int table[4] = {0};
    return size > 2 && data[0] == 'e' && data[1] == 'f' ? table[4 + data[2] % 2] & 0 : 0;
}
"""


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """tests/fuzz/run.py"""
    path = Path(__file__).with_name("run.py")
    spec = importlib.util.spec_from_file_location("fuzz_runner", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fuzz(runner: ModuleType, need: Callable[[str], str]) -> Callable[..., object]:
    """Run a fuzzer; skipped where there is no libFuzzer, which CI must have."""
    need("clang")

    def run(target: object, seconds: int) -> object:
        try:
            return runner.fuzz(target, seconds)
        except runner.NoFuzzer as lack:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI must have libFuzzer: {lack}", pytrace=False)
            pytest.skip(str(lack))

    return run


@pytest.mark.parametrize("name", ["codec", *(
    pytest.param(name, marks=pytest.mark.long)
    for name in ("model", "portable", "store", "agent", "link"))])
def test_nothing_is_found_in_a_short_while(runner: ModuleType, fuzz: Callable[..., object],
                                           name: str) -> None:
    (target,) = (target for target in runner.TARGETS if target.name == name)
    result = fuzz(target, SECONDS)
    assert isinstance(result, runner.Result)
    assert result.executions > 1000
    assert result.coverage > 100


def test_every_codec_that_codes_has_a_fuzzer_of_its_own(runner: ModuleType,
                                                        fuzz: Callable[..., object]) -> None:
    assert {target.name for target in runner.DECODERS} == set(CODECS) - {"raw"}
    (target,) = (target for target in runner.DECODERS if target.name == "zvc")
    result = fuzz(target, 1)
    assert isinstance(result, runner.Result)
    assert result.executions > 100


def test_a_finding_is_reported_with_the_input_that_shows_it(
        runner: ModuleType, fuzz: Callable[..., object], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BUILD", tmp_path / "build")
    source = tmp_path / "fuzz_broken.c"
    source.write_text(BROKEN)
    with pytest.raises(runner.FuzzError, match="out of bounds|stack-buffer-overflow") as error:
        fuzz(runner.Target("broken", source, (), "broken"), SECONDS)
    last = str(error.value).splitlines()[-1]
    found = re.fullmatch(r"broken: .+; input: (\S+)", last)
    assert found is not None
    assert Path(found[1]).read_bytes()[:2] == b"ef"
