# SPDX-License-Identifier: Apache-2.0
"""Graph -> Program: every operator becomes one that the C runtime executes on rows.

`layers.py` strings it together; the other modules hold one family of operators each.
"""

from __future__ import annotations

from edgefm.lower.layers import lower

__all__ = ["lower"]
