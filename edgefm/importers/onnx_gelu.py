# SPDX-License-Identifier: Apache-2.0
"""A GELU spelled out with Erf, as exporters write it, as the one operator that it is.

x * 0.5 * (1 + erf(x / sqrt(2))) comes with its factors in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose, sqrt

from edgefm.importers.onnx_build import Call

_NEAR = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class _Calls:
    """The makers and readers of each value, and constants of one element."""

    maker: Mapping[str, Call]
    readers: Mapping[str, Sequence[Call]]
    scalars: Mapping[str, float]

    def reader(self, call: Call) -> Call | None:
        """The only call that reads a call's output."""
        found = self.readers.get(call.outputs[0], ())
        return found[0] if len(found) == 1 else None

    def scaled(self, name: str) -> tuple[str, float]:
        """(value, factor): what a value is a multiple of."""
        call = self.maker.get(name)
        if call is not None and call.op in ("Mul", "Div") and len(call.inputs) == 2:
            for at, other in ((0, 1), (1, 0)):
                factor = self.scalars.get(call.inputs[other])
                if factor and (call.op == "Mul" or other == 1):
                    return call.inputs[at], factor if call.op == "Mul" else 1 / factor
        return name, 1.0


def with_gelus(calls: Sequence[Call], scalars: Mapping[str, float]) -> list[Call]:
    """The calls with every spelled-out GELU as one call; `scalars` are constants by name."""
    if not any(call.op == "Erf" for call in calls):
        return list(calls)
    readers: dict[str, list[Call]] = {}
    for call in calls:
        for name in dict.fromkeys(call.inputs):
            readers.setdefault(name, []).append(call)
    known = _Calls({name: call for call in calls for name in call.outputs}, readers, scalars)
    gone: set[int] = set()
    made: dict[int, Call] = {}
    for call in calls:
        if call.op == "Erf" and (found := _found(known, call)):
            x, chain = found
            gone.update(map(id, chain))
            made[id(chain[-1])] = Call("Gelu", chain[-1].name, (x,), chain[-1].outputs, {})
    return [made.get(id(call), call) for call in calls if id(call) in made or id(call) not in gone]


def _found(known: _Calls, erf: Call) -> tuple[str, list[Call]] | None:
    """What a GELU is of, and its calls from Erf to its last product."""
    x, factor = known.scaled(erf.inputs[0])
    plus = known.reader(erf)
    if (not isclose(factor, 1 / sqrt(2), rel_tol=_NEAR) or plus is None or plus.op != "Add"
            or not any(known.scalars.get(name) == 1 for name in plus.inputs)):
        return None
    chain, product, seen = [erf, plus], 1.0, False
    for call, other in _products(known, plus):
        chain.append(call)
        if other in known.scalars:
            product *= known.scalars[other]
        else:
            source, times = known.scaled(other)
            if source != x or seen:
                return None
            seen, product = True, product * times
        if seen and isclose(product, 0.5, rel_tol=_NEAR):
            return x, chain
    return None


def _products(known: _Calls, call: Call) -> Iterator[tuple[Call, str]]:
    """The products behind a call, each the only reader of the one before, with the other factor."""
    for _ in range(3):
        after = known.reader(call)
        if after is None or after.op != "Mul" or len(after.inputs) != 2:
            return
        left, right = after.inputs
        yield after, right if left == call.outputs[0] else left
        call = after
