# SPDX-License-Identifier: Apache-2.0
"""Training of codes and of the bundled networks (extra `[train]`); nothing else imports this."""

import sys
from importlib.util import find_spec

if sys.argv[0] == "-m" and find_spec("torch") is None:  # a module of this package is to be run
    raise SystemExit("edgefm.training: PyTorch is not installed: pip install 'edgefm[train]'")
