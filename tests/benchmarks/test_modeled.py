# SPDX-License-Identifier: Apache-2.0
"""What the model of inner loops takes for a loop."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

LISTING = """
00000000 <outer>:
       0:      \tmovs\tr0, #4
       2:      \tldr\tr1, [r2], #4 @ comment
       6:      \tsmlad\tr3, r1, r1, r3
       a:      \tbne\t0x2 <outer+0x2> @ imm = #-10
       c:      \tsubs\tr0, #1
       e:      \tb.w\t0x0 <outer>
00000000 <last>:
       0:      \tdot\tv0.4s, v1.16b, v2.4b[0]
       4:      \tb.hi\t0x0 <last>
       8:      \tbl\t0x0 <outer>
"""


@pytest.fixture(scope="module")
def modeled(root: Path) -> Any:
    sys.path.insert(0, str(root / "benchmarks"))
    try:
        return runpy.run_path(str(root / "benchmarks/modeled.py"))
    finally:
        sys.path.pop(0)


def test_a_loop_lies_before_a_branch_back_and_has_none_inside(modeled: Any) -> None:
    assert list(modeled["inner_loops"](LISTING)) == [
        ("outer", ("ldr r1, [r2], #4", "smlad r3, r1, r1, r3")),
        ("last", ("dot v0.4s, v1.16b, v2.4b[0]",))]


def test_a_round_takes_the_analyzers_cycles(modeled: Any, tmp_path: Path) -> None:
    analyzer = tmp_path / "analyzer"
    analyzer.write_text("#!/bin/sh\necho Total Cycles: $(($(grep -c smlad) * 250))\n")
    analyzer.chmod(0o755)
    loop = modeled["Loop"]("a.c", "f", ("smlad r3, r1, r1, r3", "bne 0x2", "smlad r4, r1, r1, r4"),
                           2)
    assert modeled["cycles"](str(analyzer), modeled["SETS"]["dsp"], "cortex-m4", loop) == 5.0
    analyzer.write_text("#!/bin/sh\nexit 1\n")
    assert modeled["cycles"](str(analyzer), modeled["SETS"]["dsp"], "cortex-m4", loop) is None
