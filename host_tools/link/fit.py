# SPDX-License-Identifier: Apache-2.0
"""Checks whether a package runs on a device, before sending it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edgefm.codecs import CODECS
from edgefm.errors import Infeasible, UnsupportedModel
from edgefm.network.program import OpKind
from edgefm.package.read import Needs
from edgefm.package.records import Packing, feature_names
from host_tools.link.capability import Info, compile_for

_CODEC_NAMES = {codec.id: name for name, codec in CODECS.items()}


def check_fit(needs: Needs, info: Info, name: str) -> None:
    """Raises UnsupportedModel or Infeasible: what the package needs, what the device has, and a
    remedy."""
    where = f"{name} on {info.board}"
    if needs.major != info.format_major:
        raise UnsupportedModel(f"{where}: package format {needs.major}, the device reads "
                               f"{info.format_major}; flash its firmware again")
    for what, needed, there, named, help_with in (
            ("features", _numbers(needs.features), info.features, _feature, compile_for(info)),
            ("operators", needs.operators, info.operators, _operator,
             "flash firmware that has them"),
            ("decoders", needs.codecs - {0}, info.decoders, _codec, compile_for(info)),
            ("packings", needs.packings, info.packings, _packing, compile_for(info))):
        _check_numbers(f"{where}: needs {what}", needed, there, named, help_with)
    if needs.external_bytes and needs.alignment % info.alignment:
        raise UnsupportedModel(f"{where}: transfers of external memory aligned to "
                               f"{needs.alignment} bytes, the device needs {info.alignment}; "
                               f"{compile_for(info)}")
    for what, need, have, advice in (
            ("fast memory", needs.fast_bytes, info.fast_bytes, f"; {compile_for(info)}"),
            ("external memory", needs.external_bytes, info.external_bytes,
             f"; {compile_for(info)}"),
            ("room for one package", needs.bytes, info.largest_package, "")):
        if need > have:
            raise Infeasible(f"{where}: needs {need} bytes of {what}, the device has {have}"
                             f"{advice}", need, what)


def _numbers(bits: int) -> list[int]:
    return [i for i in range(bits.bit_length()) if bits >> i & 1]


def _feature(number: int) -> str:
    return feature_names(1 << number)[0]


def _operator(number: int) -> str:
    return OpKind(number).name if number in set(OpKind) else f"number {number}"


def _codec(number: int) -> str:
    return _CODEC_NAMES.get(number, f"number {number}")


def _packing(number: int) -> str:
    return Packing(number).name.lower() if number in set(Packing) else f"number {number}"


def _check_numbers(where: str, needed: Iterable[int], there: int, named: Callable[[int], str],
                   help_with: str) -> None:
    missing = sorted(number for number in needed if not there >> number & 1)
    if missing:
        has = ", ".join(map(named, _numbers(there))) or "none"
        raise UnsupportedModel(f"{where} {', '.join(map(named, missing))}; the device has {has}; "
                               f"{help_with}")
