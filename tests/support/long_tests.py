# SPDX-License-Identifier: Apache-2.0
"""Parameters of which a few are enough on a developer's machine; CI takes all of them."""

from collections.abc import Iterable
from typing import Any

import pytest


def some(values: Iterable[Any], fast: int) -> list[Any]:
    """`values` for `parametrize`: the first `fast` as they are, the others as long tests."""
    return [value if number < fast else pytest.param(value, marks=pytest.mark.long)
            for number, value in enumerate(values)]
