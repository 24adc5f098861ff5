# SPDX-License-Identifier: Apache-2.0
"""A plan in a readable form: totals, stages and maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgefm.compiler.drawn_plan import drawn_plan
from edgefm.console.notation import size_text
from edgefm.html.plan_page import plan_cell, plan_page
from edgefm.html.plan_parts import Drawn
from edgefm.package.read import PackageInfo
from edgefm.planner.model import TOTALS


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PlanSummary:
    """The memory and traffic of a network, per inference; sizes in bytes.

    `fields` is what `edgefm plan --json` prints, without hashes and schema, `package` the package.
    """

    info: PackageInfo
    fields: Mapping[str, Any]
    package: bytes = field(repr=False, default=b"")

    def to_json(self) -> dict[str, Any]:
        """Hashes, totals, stages and maps as plain data, as `edgefm plan --json` prints them."""
        rate = {"rate": self.info.rate} if self.info.rate else {}
        return {"model_sha256": self.info.model_sha256, "plan_sha256": self.info.plan_sha256,
                **self.fields, **rate}

    @property
    def name(self) -> str:
        """The network's name."""
        return self.info.name

    @property
    def objective(self) -> str:
        """What the plan minimizes: cost or maps."""
        return str(self.fields["objective"])

    @property
    def fast_bytes(self) -> int:
        """Fast memory that the runtime needs."""
        return int(self.fields["fast_bytes"])

    @property
    def external_bytes(self) -> int:
        """External memory that feature maps need."""
        return int(self.fields["external_bytes"])

    @property
    def external_read_bytes(self) -> int:
        """Bytes of feature maps that are read from external memory."""
        return int(self.fields["external_read_bytes"])

    @property
    def external_write_bytes(self) -> int:
        """Bytes of feature maps that are written there."""
        return int(self.fields["external_write_bytes"])

    @property
    def weight_read_bytes(self) -> int:
        """Bytes of weights that are read."""
        return int(self.fields["weight_read_bytes"])

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return int(self.fields["macs"])

    @property
    def stages(self) -> Sequence[Mapping[str, Any]]:
        """Every stage: operators, strips, bytes, and its buffers in fast memory."""
        return tuple(self.fields["stages"])

    @property
    def maps(self) -> Sequence[Mapping[str, Any]]:
        """Every stored feature map: name, address, bytes, rows, codec."""
        return tuple(self.fields["maps"])

    def totals(self) -> dict[str, str]:
        """The totals in a readable form."""
        return {word: size_text(self.fields[name]) for word, name in TOTALS.items()}

    def __repr__(self) -> str:
        moved = self.external_read_bytes + self.external_write_bytes
        return (f"<PlanSummary {self.name}: {len(self.stages)} stages, "
                f"fast memory {size_text(self.fast_bytes)}, maps moved {size_text(moved)}, "
                f"weights read {size_text(self.weight_read_bytes)}>")

    def _repr_html_(self) -> str:
        return plan_cell(self._drawn())

    def to_html(self, other: PlanSummary | None = None) -> str:
        """A page with pictures of the plan, beside those of another plan if one is given."""
        return plan_page(self._drawn(), other=other._drawn() if other else None)

    def _drawn(self) -> Drawn:
        return drawn_plan(self.package, self.fields, self.name)
