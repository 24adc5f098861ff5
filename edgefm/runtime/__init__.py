# SPDX-License-Identifier: Apache-2.0
"""The C runtime in Python; only this package uses cffi."""

from __future__ import annotations

from edgefm.runtime.result import Counters, RunResult
from edgefm.runtime.runtime import Runtime

__all__ = ["Counters", "RunResult", "Runtime"]
