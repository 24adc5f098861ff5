# SPDX-License-Identifier: Apache-2.0
"""What the kept inputs of a fuzzer reach."""

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
READER = [f"native/src/check_{name}.c" for name in ("container", "ends", "maps", "memory")]
REPORT = """TN:
SF:{root}/native/src/a.c
DA:3,0
DA:4,12
end_of_record
SF:{root}/native/src/b.c
DA:1,1
end_of_record"""


@pytest.fixture(scope="module")
def reach() -> Any:
    """The script's names."""
    sys.path.insert(0, str(HERE))
    try:
        return runpy.run_path(str(HERE / "reach.py"))
    finally:
        sys.path.remove(str(HERE))
        sys.modules.pop("run", None)


def test_a_report_is_read_by_file_and_line(reach: Any, root: Path) -> None:
    files = dict(reach["_files"](REPORT.replace("{root}", str(root)).splitlines()))
    assert files == {"native/src/a.c": {3: 0, 4: 12}, "native/src/b.c": {1: 1}}


def test_lines_one_behind_the_other_are_a_range(reach: Any) -> None:
    assert reach["ranges"]([9, 3, 4, 5]) == "3-5, 9"
    assert reach["ranges"]([]) == ""


@pytest.mark.long
def test_kept_inputs_reach_every_line_of_the_reader(reach: Any, need: Callable[[str], str]) -> None:
    need("clang")
    (target,) = (one for one in reach["TARGETS"] if one.name == "model")
    try:
        files = reach["reached"](target)
    except reach["NoFuzzer"] as lack:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have libFuzzer: {lack}", pytrace=False)
        pytest.skip(str(lack))
    missed = {name: [line for line, count in files[name].items() if count == 0] for name in READER}
    assert not any(missed.values()), missed
