# SPDX-License-Identifier: Apache-2.0
"""Puts a package on a device that runs MicroPython, and reads its hash back there."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgefm.errors import BadInput, LinkError
from edgefm.files.write import write_file
from host_tools.micropython.mpremote import Mpremote
from host_tools.micropython.romfs import romfs_image

ROM = "/rom/"
_TARGETS = {"dsp": "cortex-m4", "mve": "cortex-m55"}  # by the kernels that the module has

_ABOUT = """
import gc, sys
gc.collect()
kernels = None
try:
    import edgefm
    kernels = edgefm.kernels()
except ImportError:
    pass
rom = 0
try:
    import vfs
    if vfs.rom_ioctl(1) > 0:
        rom = vfs.rom_ioctl(2, 0)
        rom = rom.ioctl(4, 0) * rom.ioctl(5, 0) if hasattr(rom, 'ioctl') else len(rom)
except (ImportError, AttributeError):
    pass
gc.collect()
answer = (kernels, gc.mem_free(), rom, sys.platform)
"""
_LIST = """
import os
try:
    answer = os.listdir(folder)
except OSError:
    answer = []
"""
_HASH = """
answer = ''
try:
    import hashlib
    digest, piece = hashlib.sha256(), bytearray(1024)
    with open(path, 'rb') as file:
        while True:
            count = file.readinto(piece)
            if not count:
                break
            digest.update(memoryview(piece)[:count])
    answer = ''.join('%02x' % byte for byte in digest.digest())
except ImportError:
    answer = None
except OSError:
    pass
"""


@dataclass(frozen=True, slots=True)
class About:
    """A device: its module's kernels (None: no module), free heap and ROM partition in bytes."""

    kernels: str | None
    heap_bytes: int
    rom_bytes: int
    platform: str

    @property
    def target(self) -> str | None:
        """The built-in target whose packings these kernels read."""
        return _TARGETS.get(self.kernels or "")


def about(device: Mpremote) -> About:
    """Ask a device what it is. Raises LinkError."""
    said = device.ask(_ABOUT)
    if not _is_about(said):
        raise LinkError(f"{device.port}: got {said!r:.80}, expected kernels, heap, ROM, platform")
    return About(*said)


def _is_about(said: Any) -> bool:
    return (isinstance(said, tuple) and len(said) == 4 and isinstance(said[0], str | None)
            and isinstance(said[1], int) and isinstance(said[2], int) and isinstance(said[3], str))


def put(device: Mpremote, data: bytes, path: str, rom_bytes: int, replace: bool) -> None:
    """Copy a package to `path`, or into ROMFS below /rom/, and compare its SHA-256 there.

    ROMFS is written as a whole: unless `replace`, other files in it are a BadInput. Raises
    LinkError when what arrived differs: `mpremote romfs deploy` may succeed and write nothing.
    """
    if path.startswith(ROM):
        _put_rom(device, data, path.removeprefix(ROM), rom_bytes, replace)
    else:
        _put_file(device, data, path)
    if not _arrived(device, data, path):
        raise LinkError(f"{device.port}: mpremote said that it wrote {path}, but what can be read "
                        "there is something else, or nothing")


def is_there(device: Mpremote, data: bytes, path: str) -> bool:
    """Whether the device has these very bytes at `path`."""
    return bool(device.ask(_HASH, path=path) == hashlib.sha256(data).hexdigest())


def _put_rom(device: Mpremote, data: bytes, name: str, rom_bytes: int, replace: bool) -> None:
    image = romfs_image({name: data})
    if len(image) > rom_bytes:
        raise BadInput(f"{device.port}: {ROM}{name}: got an image of {len(image)} bytes, expected "
                       f"at most {rom_bytes}" + (" (no ROM partition)" if not rom_bytes else ""))
    others = [one for one in device.ask(_LIST, folder=ROM.rstrip("/")) if one != name]
    if others and not replace:
        raise BadInput(f"{device.port}: {ROM} is written as a whole and holds {others[0]!r:.40}, "
                       "which would go; --replace lets it")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image.romfs"
        write_file(file, image)
        device.call("romfs", "deploy", str(file), moved=len(image))


def _put_file(device: Mpremote, data: bytes, path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.efm"
        write_file(file, data)
        device.call("fs", "cp", str(file), f":{path}", moved=len(data))


def _arrived(device: Mpremote, data: bytes, path: str) -> bool:
    """Compare on the device; one without hashlib sends the file back."""
    digest = device.ask(_HASH, path=path)
    if digest is not None:
        return bool(digest == hashlib.sha256(data).hexdigest())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.efm"
        device.call("fs", "cp", f":{path}", str(file), moved=len(data))
        return file.read_bytes() == data
