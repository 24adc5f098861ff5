# SPDX-License-Identifier: Apache-2.0
"""The options of a compilation: memories, loss, quality, codec and preprocessing.

The compiler reads the flat `CompileOptions`. Callers of the API write groups, which check their
values.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from edgefm.console.notation import read_size
from edgefm.errors import BadInput
from edgefm.rate_distortion import COARSENED, RULES, TRANSFORMS, Budget, How
from edgefm.rate_distortion.quality_maps import QUALITIES, TILE

_MOST_TOLERANCE = 255
_MOST_COUNT = 65535


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """The options that the command line and the API give; sizes in bytes, None: no limit.

    At most one of `kl_budget` (nats), `accuracy_budget` (points of top-1), `byte_budget` (stored
    feature maps per inference, both ways, for any picture) and `mean_byte_budget` (the same on
    average) may be given. With a budget, stored maps, weights or both get coarser steps, as
    `coarsen` says. `package` bounds the bytes of the package: weights are then coded, and get the
    coarser steps if coding is not enough. `weights` is mapped or port, where they lie (None: as the
    target says). `tolerance` (steps of a map) and `refresh` (frames) are
    for the codec temporal.
    `recompute` says how many times the multiply-adds a plan may take where no other fits: first
    operators then run in tiles of columns, and rows of the input are asked for once per tile.
    With `pictures`, a float input that can be a picture needs `preprocess`, unless all files of
    `calib` are arrays of numbers. `input_shape` is the shape of an ONNX input whose sizes the file
    leaves open, in the file's order.
    """

    fast: int | None = None
    external: int | None = None
    codec: str | None = None
    objective: str = "cost"
    cut: str = "auto"
    recompute: float | None = None
    target: str | None = None
    packing: str | None = None
    weight_codec: str = "raw"
    weights: str | None = None
    package: int | None = None
    calib: Path | None = None
    preprocess: str | None = None
    geometry: str | None = None
    labels: tuple[str, ...] = ()
    kl_budget: float | None = None
    accuracy_budget: float | None = None
    byte_budget: int | None = None
    mean_byte_budget: int | None = None
    points_per_nat: tuple[float, float] | None = None
    rate_rule: str = "slope"
    transform: str = "channels"
    coarsen: str = "maps"
    tables: Path | None = None
    tolerance: int = 0
    refresh: int = 0
    quality: str = "even"
    tile: int = TILE
    pictures: bool = True
    input_shape: tuple[int, ...] | None = None

    @property
    def budget(self) -> Budget | None:
        """The budget, if there is one. Raises BadInput for several at once."""
        given = (self.kl_budget, self.accuracy_budget, self.byte_budget, self.mean_byte_budget)
        return None if given == (None,) * 4 else Budget(*given, self.points_per_nat)

    @property
    def how(self) -> How:
        """How `rate_distortion.coarsen` uses the budget. Raises BadInput for options that exclude
        each other."""
        return How(self.rate_rule, self.transform, self.coarsen)

    @property
    def map_codec(self) -> str:
        """The codec that was asked for. The default is raw, or context under a budget for maps and
        for quality maps."""
        coarser = self.budget is not None and self.how.maps
        return self.codec or ("context" if coarser or self.quality != "even" else "raw")


class _Group:
    """A group of options whose `repr` has only what differs from the defaults."""

    __slots__ = ()

    def __repr__(self) -> str:
        told = [f"{one.name}={getattr(self, one.name)!r}" for one in fields(self)  # type: ignore[arg-type]
                if getattr(self, one.name) != one.default]
        return f"{type(self).__name__}({', '.join(told)})"


@dataclass(frozen=True, slots=True, repr=False)
class Memory(_Group):
    """What a board has: `fast` and `external` memory as bytes or "96K" (None: as much fast memory
    as is useful, and the target's external memory), the name or file of a `target`, and one of the
    `packing`s in which its kernels read weights (None: the smallest)."""

    fast: int | str | None = None
    external: int | str | None = None
    target: str | Path | None = None
    packing: str | None = None

    def __post_init__(self) -> None:
        """Raise BadInput for a value that is not a size."""
        for name in ("fast", "external"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_size(getattr(self, name), name))


@dataclass(frozen=True, slots=True, repr=False)
class LossBudget(_Group):
    """The budget of coarser steps: exactly one of four kinds.

    `kl` in nats. `points` of top-1, estimated from the decisions that change on calibration files
    (with `measured`, the sweep.json of this network, if it is given). `bytes` of feature maps per
    inference, for any picture, or `mean_bytes` on average, as numbers or "200K". `coarsen` says
    whose steps get coarser: maps, weights or both. `rule` and `transform` say how the steps of maps
    are chosen.
    """

    kl: float | None = None
    points: float | None = None
    bytes: int | str | None = None
    mean_bytes: int | str | None = None
    rule: str = "slope"
    transform: str = "channels"
    coarsen: str = "maps"
    measured: str | Path | None = None

    def __post_init__(self) -> None:
        """Raise BadInput unless exactly one positive budget is given, and for an unknown word."""
        for name in ("bytes", "mean_bytes"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_size(getattr(self, name), name))
        for name in ("kl", "points"):
            _expect_positive(name, getattr(self, name))
        _expect_word("rule", self.rule, RULES)
        _expect_word("transform", self.transform, TRANSFORMS)
        _expect_word("coarsen", self.coarsen, COARSENED)
        given = [name for name in ("kl", "points", "bytes", "mean_bytes")
                 if getattr(self, name) is not None]
        if len(given) != 1 or not getattr(self, given[0]):
            raise BadInput(f"budget: got {self}, expected one of kl, points, bytes and mean_bytes, "
                           "above 0")


@dataclass(frozen=True, slots=True, repr=False)
class Quality(_Group):
    """Where in a stored map steps may be coarser: `kind` is even, rows, static, derived or
    signalled, `tile` the pixels of a tile (0: whole rows)."""

    kind: str = "even"
    tile: int = TILE

    def __post_init__(self) -> None:
        """Raise BadInput for an unknown kind, or a tile that is not a number of pixels."""
        _expect_word("quality", self.kind, QUALITIES)
        _expect_whole("tile", self.tile, _MOST_COUNT)


@dataclass(frozen=True, slots=True, repr=False)
class Temporal(_Group):
    """The codec temporal. It reuses parts of a map whose values are all within `tolerance` steps of
    the previous frame; one in `refresh` frames refers to no other (0: only the first)."""

    tolerance: int = 0
    refresh: int = 0

    def __post_init__(self) -> None:
        """Raise BadInput for a value that is not a whole number in range."""
        _expect_whole("tolerance", self.tolerance, _MOST_TOLERANCE)
        _expect_whole("refresh", self.refresh, _MOST_COUNT)


def _expect_word(name: str, given: object, words: Sequence[str]) -> None:
    if given not in words:
        raise BadInput(f"{name}: got {given!r:.60}, expected one of {', '.join(words)}")


def _expect_whole(name: str, given: object, most: int) -> None:
    try:
        number = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if isinstance(given, bool) or not 0 <= number <= most:
        raise BadInput(f"{name}: got {given!r:.60}, expected a whole number from 0 to {most}")


def _expect_positive(name: str, given: object) -> None:
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if given is not None and not (number and 0 < given < math.inf):  # type: ignore[operator]
        raise BadInput(f"{name}: got {given!r:.60}, expected a number above 0")
