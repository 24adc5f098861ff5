# SPDX-License-Identifier: Apache-2.0
"""Loads the compiled extension module, or raises one clear line when it is missing."""

from __future__ import annotations

import importlib
from typing import Any

from edgefm.errors import MissingTool


def native() -> tuple[Any, Any]:
    """cffi's `ffi` and `lib` of the C runtime; MissingTool when it has not been built."""
    try:
        module = importlib.import_module("edgefm.runtime._native")
    except ImportError as error:
        raise MissingTool("the C runtime is not built; run `./inv build` "
                          f"or `pip install -e .` ({error})") from None
    return module.ffi, module.lib
