# SPDX-License-Identifier: Apache-2.0
"""`python -m edgefm.demo` as a process."""

import subprocess
import sys


def test_nothing_heavy_is_imported_before_ctrl_c_is_one_line() -> None:
    code = "import edgefm.demo.__main__, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
