# SPDX-License-Identifier: Apache-2.0
"""Public models by address and checksum, kept in a cache.

A file is looked for in EDGEFM_ZOO_MIRROR (a local folder), then in the cache (EDGEFM_CACHE, else
the user's cache folder), then fetched. Whatever the source, its SHA-256 is checked before use.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgefm.errors import BadInput
from edgefm.files.read import MOST_MODEL, open_file, unreadable
from edgefm.files.write import check_file, make_folder

Progress = Callable[[int, int], None]  # bytes there, bytes in all

_CHUNK = 1 << 16
_TIMEOUT = 30.0
_CORAL = "https://raw.githubusercontent.com/google-coral/test_data/master/"
_TINY = "https://raw.githubusercontent.com/mlcommons/tiny/master/benchmark/training/"
_MEDIAPIPE = "https://storage.googleapis.com/mediapipe-assets/"
_MICRO = "https://raw.githubusercontent.com/tensorflow/tflite-micro/main/tensorflow/lite/micro/"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its name in the cache, size in bytes, checksum, and address ("" if it has none)."""

    file: str
    size: int
    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One public model and what it needs to be run as its authors meant it."""

    name: str
    about: str
    model: Asset
    preprocess: str | None = "raw"
    geometry: str | None = "crop"
    labels: Asset | None = None


_IMAGENET = Asset("imagenet_labels.txt", 21686,
                  "b8aaeb5630c62626a7d124a05c0e14230a7ffdd2136a31d0190a4fb71c1d82f1",
                  _CORAL + "imagenet_labels.txt")
_COCO = Asset("coco_labels.txt", 661,
              "dc183f003fc753c4c43fae6fdf7f387559449573f13fa32e517fb7453fd380f1",
              _CORAL + "coco_labels.txt")
_VOC = Asset("pascal_voc_segmentation_labels.txt", 263,
             "7337a2b06728385fb3e1106416c67bfddf69628598b1f2f0db6a63cd63fb6b1e",
             _CORAL + "pascal_voc_segmentation_labels.txt")

ENTRIES = (
    Entry("mobilenet_v2", "ImageNet, int8 per channel, 224x224",
          Asset("tf2_mobilenet_v2_1.0_224_ptq.tflite", 4070174,
                "5d3137241276e79c86d14a74fe43581398ae0e815191d3dba45495b810840e8c",
                _CORAL + "tf2_mobilenet_v2_1.0_224_ptq.tflite"), labels=_IMAGENET),
    Entry("mobilenet_v2_uint8", "ImageNet, legacy uint8, 224x224",
          Asset("mobilenet_v2_1.0_224_quant.tflite", 3610798,
                "7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776",
                _CORAL + "mobilenet_v2_1.0_224_quant.tflite"), labels=_IMAGENET),
    Entry("mobilenet_v1_0.25_uint8", "ImageNet, legacy uint8, 128x128",
          Asset("mobilenet_v1_0.25_128_quant.tflite", 525598,
                "cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785",
                _CORAL + "mobilenet_v1_0.25_128_quant.tflite"), labels=_IMAGENET),
    Entry("mobilenet_v1_0.25_float", "ImageNet, float32, 224x224",
          Asset("mobilenet_v1_0.25_224_float.tflite", 1882904,
                "446ec673881cd46371a8726075b714194ada39d144762260cb76d15318597df7",
                _MEDIAPIPE + "mobilenet_v1_0.25_224_1_default_1.tflite"),
          "tf", labels=_IMAGENET),
    Entry("squeezenet1_1", "ImageNet, float32 (torchvision weights), 224x224",
          Asset("squeezenet1_1_torchvision.onnx", 4950456,
                "7618fdc4c3c8b7c6935dacd932a72bc1ea8dbe9212800726c8dd1c6669effeb7", ""),
          "torchvision", labels=_IMAGENET),
    Entry("squeezenet1_1_weights", "the same network as torchvision-named float16 weights",
          Asset("squeezenet1_1_torchvision_fp16.npz", 2485682,
                "a05986e3b820ca6bcf97b20de9490c71e507e447028250a1b84dd3477ddfbcdb", ""),
          "torchvision", labels=_IMAGENET),
    Entry("deeplab_v3", "Pascal VOC segmentation, legacy uint8, 513x513",
          Asset("deeplabv3_mnv2_dm05_pascal_quant.tflite", 760904,
                "0470d2a782aa54eeeb99d32e7b6b3fb7722905c7c4f5d26bd957ec861366d48b",
                _CORAL + "deeplabv3_mnv2_dm05_pascal_quant.tflite"),
          geometry="letterbox", labels=_VOC),
    Entry("ssd_mobilenet_v1", "COCO detector, legacy uint8, 300x300",
          Asset("coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite", 4185023,
                "61d598093ed03ed41aa47c3a39a28ac01e960d6a810a5419b9a5016a1e9c469b",
                _MEDIAPIPE + "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"),
          geometry="stretch", labels=_COCO),
    Entry("vww", "MLPerf Tiny person or not, int8, 96x96",
          Asset("vww_96_int8.tflite", 333288,
                "597a384c8c2c8a1276f04702f25013b7838f2f814f1ca7c174d295b73e3d6b7b",
                _TINY + "visual_wake_words/trained_models/vww_96_int8.tflite")),
    Entry("person_detect", "person or not, int8 gray, 96x96",
          Asset("person_detect.tflite", 300568,
                "808cfdfc0cf3a6fa6f6fa26bfa379ea97c16d5db7334637766e39c3408502e9d",
                _MICRO + "models/person_detect.tflite")),
    Entry("resnet8", "MLPerf Tiny CIFAR-10, int8, 32x32",
          Asset("pretrainedResnet_quant.tflite", 98496,
                "3c002613d1b2475eb51dd78dfb85a546c8ae658dee71cf6ade43b022fe205415",
                _TINY + "image_classification/trained_models/pretrainedResnet_quant.tflite")),
    Entry("kws", "MLPerf Tiny keywords, int8, 49x10 features",
          Asset("kws_ref_model.tflite", 53936,
                "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae",
                _TINY + "keyword_spotting/trained_models/kws_ref_model.tflite")),
    Entry("ad", "MLPerf Tiny anomaly detection, int8, 640 features",
          Asset("ad01_int8.tflite", 276976,
                "87cf24194ef93d1d9b11a591d805526b98008e351655d29883c825c9c106ba24",
                _TINY + "anomaly_detection/trained_models/ad01_int8.tflite"), None, None),
)


def find(name: str) -> Entry:
    """The entry of that name; BadInput lists the names there are."""
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    raise BadInput(f"zoo: no model {name!r}; expected one of {', '.join(e.name for e in ENTRIES)}")


def recognize(path: Path) -> Entry | None:
    """The entry whose model this file is, by checksum; None for any other file."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from None
    known = {e.model.sha256: e for e in ENTRIES if e.model.size == size}
    return known.get(_sha256(path)) if known else None


def cache_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Where fetched files are kept: EDGEFM_CACHE, XDG_CACHE_HOME/edgefm, or ~/.cache/edgefm."""
    if environment.get("EDGEFM_CACHE"):
        return Path(environment["EDGEFM_CACHE"])
    if environment.get("XDG_CACHE_HOME"):
        return Path(environment["XDG_CACHE_HOME"]) / "edgefm"
    return Path(os.path.expanduser("~")) / ".cache" / "edgefm"


def get(asset: Asset, environment: Mapping[str, str] = os.environ,
        progress: Progress | None = None) -> Path:
    """A checked local copy of an asset: from the mirror, the cache, or its address.

    Raises BadInput when it is nowhere, cannot be fetched, or is not the file it should be.
    """
    mirrored = _in_mirror(asset, environment.get("EDGEFM_ZOO_MIRROR"))
    if mirrored is not None:
        return _checked(mirrored, asset)
    kept = cache_dir(environment) / asset.file
    if kept.is_file() and _sha256(kept) == asset.sha256:
        return kept
    if not asset.url:
        raise BadInput(f"zoo: {asset.file} has no public address; "
                       "put it into a folder and name that in EDGEFM_ZOO_MIRROR")
    return _fetch(asset, kept, progress)


def _in_mirror(asset: Asset, mirror: str | None) -> Path | None:
    """The file in a mirror folder, directly or in its models/ and labels/."""
    for folder in ("", "models", "labels", "models/labels"):
        if mirror and (Path(mirror) / folder / asset.file).is_file():
            return Path(mirror) / folder / asset.file
    return None


def _checked(path: Path, asset: Asset) -> Path:
    got = _sha256(path)
    if got != asset.sha256:
        raise BadInput(f"{path}: not the published {asset.file} "
                       f"(SHA-256 {got[:16]}…, expected {asset.sha256[:16]}…)")
    return path


def _sha256(path: Path) -> str:
    with open_file(path, MOST_MODEL) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(asset: Asset, kept: Path, progress: Progress | None) -> Path:
    """Fetch into `<file>.part`, continuing one that is there; it gets its name once checked."""
    make_folder(kept.parent)
    part = check_file(kept).with_name(kept.name + ".part")
    try:
        _download(asset, part, progress)
        _checked(part, asset)
        os.replace(part, kept)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise BadInput(f"zoo: cannot fetch {asset.url}: {reason}") from None
    except BadInput:
        part.unlink(missing_ok=True)  # a broken start would spoil every later attempt
        raise
    return kept


def _download(asset: Asset, part: Path, progress: Progress | None) -> None:
    """Append what is missing; a server that knows no ranges sends all of it again."""
    there = part.stat().st_size if part.is_file() else 0
    if there >= asset.size:
        there = 0
    request = urllib.request.Request(asset.url, headers={"User-Agent": "edgefm"})
    if there:
        request.add_header("Range", f"bytes={there}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as reply:
        resumed = reply.status == 206
        if not resumed:
            there = 0
            part.unlink(missing_ok=True)
        with part.open("ab" if resumed else "xb") as file:
            while there <= asset.size and (chunk := reply.read(_CHUNK)):
                there += len(chunk)
                _append(file, chunk, part)
                if progress:
                    progress(min(there, asset.size), asset.size)
    if there < asset.size:
        raise OSError(f"the connection ended after {there} of {asset.size} bytes; try again")


def _append(file: IO[bytes], chunk: bytes, part: Path) -> None:
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:  # a full disk: nothing to go on with later
        raise BadInput(f"{part}: cannot be written: {error.strerror or error}") from None
