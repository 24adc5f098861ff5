# SPDX-License-Identifier: Apache-2.0
"""Copy files to, from and on the device."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgefm.console.notation import size_text
from edgefm.console.terminal import say
from edgefm.errors import BadInput, LinkError
from edgefm.files.read import read_bytes
from edgefm.files.write import check_file, place_in, write_file
from edgefm.package.read import read_needs
from edgefm.package.records import MAGIC
from host_tools.cli.board import on_device
from host_tools.cli.progress import progress_bar
from host_tools.cli.store import store_of
from host_tools.link.fit import check_fit
from host_tools.link.store import Store

EXAMPLE = "edgefm cp net.efm :"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `cp`."""
    parser.add_argument("sources", nargs="+", metavar="FILE",
                        help="a file here, or `:name` on the device")
    parser.add_argument("target", metavar="TARGET",
                        help="a file or folder here, `:name` on the device, or `:` for the same "
                             "name on the device")
    parser.add_argument("--replace", action="store_true",
                        help="if the old file of that name leaves no room for the new one, remove "
                             "it first: a power cut then loses both (default: refuse)")
    parser.add_argument("-f", "--force", action="store_true",
                        help="send a file even if the device already has it (default: skip it)")


def run(arguments: argparse.Namespace) -> None:
    """Copy the files in order."""
    target = on_device(arguments.target)
    if len(arguments.sources) > 1 and (target or (
            target is None and not Path(arguments.target).is_dir())):
        raise BadInput(f"cp: {len(arguments.sources)} files do not go into one, "
                       f"{arguments.target}; expected `:` or a folder")
    if target is None:
        places = [_place(source, Path(arguments.target)) for source in arguments.sources]
        for there, place in places:
            write_file(place, _fetch(arguments, there))
    else:
        for source in arguments.sources:
            name = on_device(source)
            data = _fetch(arguments, name) if name is not None else read_bytes(source)
            upload(arguments, source, data, target or Path(name or source).name)


def _fetch(arguments: argparse.Namespace, name: str) -> bytes:
    with _bar(f"read :{name}") as progress:
        data: bytes = store_of(arguments.board).get(name, progress)
    return data


def _place(source: str, target: Path) -> tuple[str, Path]:
    """The name of a file on the device, and its place on this machine. Raises BadInput."""
    name = on_device(source)
    if name is None:
        raise BadInput(f"cp: neither {source} nor {target} is on the device; write files on the "
                       "device as :name")
    path = place_in(target, name) if target.is_dir() else target
    check_file(path)
    return name, path


def upload(arguments: argparse.Namespace, source: str, data: bytes, name: str) -> None:
    """Store `data`, the contents of `source`, and compare its SHA-256 on the device. Refuse a
    package that the device cannot run, before sending it. Skip a file that is already there."""
    device = store_of(arguments.board)
    digest = hashlib.sha256(data).hexdigest()
    _check(device, source, data)
    there = device.find(name)
    if (not arguments.force and there is not None and there.bytes == len(data)
            and device.sha256(name) == digest):
        say(f":{name} is there already, with the same SHA-256")
        return
    with _bar(f"write :{name}") as progress:
        device.put(name, data, replace=arguments.replace, progress=progress)
    if device.sha256(name) != digest:
        raise LinkError(f"{device.name}: :{name} was written, but its SHA-256 is not that of "
                        f"{source}")
    say(f":{name}: {size_text(len(data))}, SHA-256 read back")


def _check(device: Store, source: str, data: bytes) -> None:
    if data[:len(MAGIC)] == MAGIC:  # put() checks the room: an old file may go
        info = replace(device.info, largest_package=max(device.info.store_bytes, len(data)))
        check_fit(read_needs(data, source), info, source)


class _bar:
    """A progress bar to pass as `progress(done, total)` of a transfer."""

    def __init__(self, what: str) -> None:
        self._context = progress_bar(what, unit="B")

    def __enter__(self) -> Any:
        bar = self._context.__enter__()

        def moved(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return moved

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)
