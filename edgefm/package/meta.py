# SPDX-License-Identifier: Apache-2.0
"""The META section: a package's description of itself for people and hosts, as one JSON object.

Devices never read it. A host checks it here against the kinds below, the keys of docs/FORMAT.md, so
that later code never finds a missing key or a value of the wrong kind.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from edgefm.files.read import parse_json

TENSOR_NAME, ELEMENT_TYPE = str, str

BUFFER = {"name": str, "offset": int, "bytes": int, "slots": int, "first_stage": int,
          "last_stage": int}
STAGE = {"name": str, "operators": [str], "strips": int, "first": str, "last": str, "firings": int,
         "fast_bytes": int, "external_read_bytes": int, "external_write_bytes": int,
         "weight_read_bytes": int, "buffers": [BUFFER]}
MAP = {"name": str, "address": int, "bytes": int, "rows": int, "row_bytes": int, "codec": str,
       "pooled": (None, bool), "rate": (None, int), "depth": (None, int),
       "most_bytes": (None, int),  # optional, from "pooled" on: only with a cap
       "reference": (None, int), "refresh": (None, int),  # optional: only with a reference
       "quality": (None, str), "tile": (None, int)}  # optional: only with a quality map
CODED_WEIGHTS = {"operators": int, "tiles": int, "kept": int}
POOL = {"offset": int, "pages": int, "page_bytes": int}
PLAN = {"fast_bytes": int, "control_bytes": int, "io_bytes": int, "external_bytes": int,
        "external_read_bytes": int, "external_write_bytes": int, "input_read_bytes": int,
        "output_write_bytes": int, "weight_read_bytes": int, "macs": int, "objective": str,
        "stages": [STAGE], "maps": [MAP],
        "coded_weights": (None, CODED_WEIGHTS), "weight_port_bytes": (None, int),
        "pool": (None, POOL)}  # these three may be left out
STREAM = (TENSOR_NAME, int, int, int, ELEMENT_TYPE)  # name, rows, pixels, channels, type
PREPROCESS = {"raw": bool, "mean": [float], "std": [float], "order": str, "geometry": str}
MAP_STEP = {"name": str, "scale": float, "factor": float}
CHECK = {"figure": str, "files": int, "views": int, "points": float,
         "points_error": (None, float), "kl": float, "kl_error": (None, float)}
RATE = {"rule": str, "kl_budget": (None, float), "byte_budget": (None, int), "kl": float,
        "kl_error": float, "images": int, "map_bytes": int, "points": (float, float),
        "steps": [MAP_STEP], "transform": (None, str), "transformed": (None, [str]),
        "mean_byte_budget": (None, int), "most_map_bytes": (None, int),
        "weight_bits": (None, float), "check": (None, CHECK)}  # the keys with None may be left out
REMOVED = {"name": str, "channels": int, "of": int}
META = {"name": str, "model_sha256": str, "plan_sha256": str, "preprocess": (None, PREPROCESS),
        "labels": [str], "plan": PLAN, "streams": [(None, STREAM)],
        "rate": (None, RATE), "removed": (None, [REMOVED])}  # either may be left out


_MOST_TEXT = 16 << 20  # bytes of JSON; a small file must not unpack to everything
_PLAIN_TEXT = 1 << 10  # bytes up to which compressing is not worth it


def read_meta(section: bytes) -> dict[str, Any]:
    """The object; ValueError with the first key whose value is not of its kind."""
    meta = parse_json(section if section[:1] == b"{" else _unpacked(section))
    _check(meta, META, "META")
    return dict(meta)


def write_meta(meta: Mapping[str, object]) -> bytes:
    """The section's bytes: JSON without spaces, compressed unless it is short."""
    text = json.dumps(meta, separators=(",", ":")).encode()
    return text if len(text) <= _PLAIN_TEXT else zlib.compress(text, 9)


def _unpacked(section: bytes) -> bytes:
    try:
        stream = zlib.decompressobj()
        text = stream.decompress(section, _MOST_TEXT)
    except zlib.error as error:
        raise ValueError(f"META is neither JSON nor a zlib stream ({error})") from None
    if not stream.eof or stream.unused_data:
        raise ValueError(f"META's zlib stream is cut, too long or over {_MOST_TEXT} bytes")
    return text


_NAMES: Final = {str: "a string", bool: "true or false", int: "an integer", float: "a number"}


def _check(value: object, kind: Any, where: str) -> None:
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is not an object")
        for key, inner in kind.items():
            _check(value.get(key), inner, f"{where}.{key}")
    elif isinstance(kind, list):
        if not isinstance(value, list):
            raise ValueError(f"{where} is not a list")
        for i, item in enumerate(value):
            _check(item, kind[0], f"{where}[{i}]")
    elif isinstance(kind, tuple) and kind[0] is None:
        if value is not None:
            _check(value, kind[1], where)
    elif isinstance(kind, tuple):
        if not isinstance(value, list) or len(value) != len(kind):
            raise ValueError(f"{where} is not a list of {len(kind)}")
        for i, (item, inner) in enumerate(zip(value, kind, strict=True)):
            _check(item, inner, f"{where}[{i}]")
    elif not _is(value, kind):
        raise ValueError(f"{where} is not {_NAMES[kind]}")


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
