# SPDX-License-Identifier: Apache-2.0
"""What a user sees who has no PyTorch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["gf2", "digits"])
def test_without_torch_one_line_says_what_to_install(tmp_path: Path, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    done = subprocess.run([sys.executable, "-m", f"edgefm.training.{module}"], text=True,
                          capture_output=True, check=False, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr == ("edgefm.training: PyTorch is not installed: "
                           "pip install 'edgefm[train]'\n")
