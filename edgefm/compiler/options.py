# SPDX-License-Identifier: Apache-2.0
"""What a compilation is told: memories, loss, quality, the codec and how pictures enter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgefm import rate_distortion
from edgefm.rate_distortion import Budget
from edgefm.rate_distortion.quality import TILE


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """What the command line and the API say about a compilation; sizes in bytes, None: no limit.

    At most one of `kl_budget` (nats), `accuracy_budget` (points of top-1), `byte_budget` (stored
    feature maps per inference, both ways, whatever the picture) and `mean_byte_budget` (the same on
    average) may be given; stored maps then get coarser steps. `tolerance` (steps of a map) and
    `refresh` (frames) are for the codec temporal. With `pictures` a float input that can be a
    picture needs `preprocess`, unless all files of `calib` are arrays of numbers.
    """

    fast: int | None = None
    external: int | None = None
    codec: str | None = None
    objective: str = "cost"
    cut: str = "auto"
    target: str | None = None
    calib: Path | None = None
    preprocess: str | None = None
    geometry: str | None = None
    labels: tuple[str, ...] = ()
    kl_budget: float | None = None
    accuracy_budget: float | None = None
    byte_budget: int | None = None
    mean_byte_budget: int | None = None
    points_per_nat: tuple[float, float] = rate_distortion.PER_NAT
    rate_rule: str = "slope"
    transform: str = "channels"
    tables: Path | None = None
    tolerance: int = 0
    refresh: int = 0
    quality: str = "even"
    tile: int = TILE
    pictures: bool = True

    @property
    def budget(self) -> Budget | None:
        """The budget, if there is one. Raises BadInput for several at once."""
        given = (self.kl_budget, self.accuracy_budget, self.byte_budget, self.mean_byte_budget)
        return None if given == (None,) * 4 else Budget(*given, self.points_per_nat)

    @property
    def how(self) -> tuple[str, str]:
        """Rule and transform, as `rate.coarsen` takes them."""
        return self.rate_rule, self.transform

    @property
    def map_codec(self) -> str:
        """The codec that was asked for; without a word on it raw, or context under a budget and
        for quality maps."""
        return self.codec or ("context" if self.budget or self.quality != "even" else "raw")
