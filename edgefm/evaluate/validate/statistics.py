# SPDX-License-Identifier: Apache-2.0
"""Standard errors of measurements on pictures; the unit is a picture, not a view of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

_GROUPS = 100  # pictures are left out one by one up to here, beyond in this many groups


def mean_and_error(per_picture: Sequence[float]) -> tuple[float, float | None]:
    """The mean of one figure per picture and its standard error; None for a single picture."""
    values = np.asarray(per_picture, np.float64)
    error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
    return float(values.mean()), error


def jackknife(pictures: int, statistic: Callable[[Sequence[int]], float]) -> float | None:
    """The standard error of a statistic of `pictures`, given by the numbers of those to use.

    Each picture (or group of them) is left out in turn; None for a single picture.
    """
    if pictures < 2:
        return None
    groups = min(pictures, _GROUPS)
    values = np.array([statistic([picture for picture in range(pictures) if picture % groups != g])
                       for g in range(groups)])
    return float(((groups - 1) * values.var()) ** 0.5)
