# SPDX-License-Identifier: Apache-2.0
"""`edgefm.Device`: a board with edgefm firmware, its packages, and runs on it.

This is the only module of `edgefm` that uses a package above it: the host's end of the link is in
`host_tools`, which is imported by name when a device is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, cast

from edgefm.api.given import Given, read_inputs, without_batch
from edgefm.api.opened import Source, package_bytes
from edgefm.compiler.options import Memory
from edgefm.errors import BadInput
from edgefm.network.graph import Array
from edgefm.package.ends import ends_text
from edgefm.package.outline import Outline
from edgefm.package.read import PackageInfo, TensorInfo


class StoredFile(Protocol):
    """A file of a device: its name and size."""

    @property
    def name(self) -> str: ...
    @property
    def bytes(self) -> int: ...


class DeviceRun(Protocol):
    """The result of a run on a device: how it ended, and its outputs (None where the device had no
    room for them)."""

    @property
    def end(self) -> Any: ...
    @property
    def outputs(self) -> list[Array] | None: ...


class DeviceLink(Protocol):
    """The part of host_tools.link.device.Device that is used here."""

    @property
    def info(self) -> Any: ...
    @property
    def name(self) -> str: ...
    def files(self) -> Sequence[StoredFile]: ...
    def put(self, name: str, data: bytes, *, replace: bool = False,
            progress: Callable[[int, int], None] = ...) -> None: ...
    def remove(self, name: str) -> None: ...
    def outline(self, name: str) -> Outline: ...
    def run(self, name: str, stream: bytes | None, *, times: int = 1,
            outputs: Sequence[TensorInfo] = ()) -> DeviceRun: ...
    def close(self) -> None: ...


class ConnectedDevice:
    """A board that is connected, or emulated on this machine; a context manager.

        with edgefm.Device("sim") as device:
            device.put("net.efm")
            result = device.open("net.efm").run("cat.jpg")
            print(result.outputs[0].argmax(), result.end.ticks)

    Every method raises DeviceError for what the board refuses, BadInput once it is closed.
    """

    def __init__(self, board: str | os.PathLike[str] | None = None) -> None:
        """Connect to a board by its name ("sim") or by a port ("/dev/ttyACM0",
        "/dev/ttyUSB0@921600", "socket://host:port", "exec:COMMAND"). None: the only board found.

        Raises BadInput when there is no board or several, LinkError when it does not answer.
        """
        open_board = import_module("host_tools.boards.connect").open_board
        runs = import_module("host_tools.link.device").Device
        link = cast(DeviceLink, runs.of(open_board(None if board is None else os.fspath(board))))
        self._link: DeviceLink | None = link
        self._name = link.name

    def __enter__(self) -> Self:
        self.link  # noqa: B018  # raises when this device is closed
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._link is None else f"board {self._link.info.board!r}"
        return f"<Device {self._name}, {state}>"

    @property
    def link(self) -> DeviceLink:
        """The host's end of the link, which can do more. Raises BadInput when it is closed."""
        if self._link is None:
            raise BadInput(f"{self._name}: this device is closed; open it again")
        return self._link

    @property
    def info(self) -> Any:
        """What the board reports about itself: `board`, `fast_bytes`, `external_bytes`, …"""
        return self.link.info

    @property
    def memory(self) -> Memory:
        """The board's memory, for `edgefm.compile(…, memory=device.memory)`."""
        return Memory(self.info.fast_bytes, self.info.external_bytes)

    def files(self) -> list[StoredFile]:
        """The stored files, each with `name` and `bytes`."""
        return list(self.link.files())

    def put(self, package: Source, name: str | None = None, *, replace: bool = False,
            progress: Callable[[int, int], object] | None = None) -> str:
        """Store a package and return its name on the device: by default the name of its file.

        With `replace`, the old package of that name is removed first if both do not fit.
        `progress(done, total)` gets the number of bytes that are copied. Raises Infeasible when the
        package does not fit, BadInput for data that is not a package or has no name.
        """
        data, path = package_bytes(package)
        if name is None and path is None:
            raise BadInput("device.put: got bytes without a name, expected put(package, NAME)")
        wanted = name if name is not None else Path(str(path)).name

        def told(done: int, total: int) -> None:
            if progress:
                progress(done, total)

        self.link.put(wanted, data, replace=replace, progress=told)
        return wanted

    def remove(self, name: str) -> None:
        """Remove a file. Raises DeviceError when there is no file of that name."""
        self.link.remove(name)

    def open(self, name: str) -> StoredPackage:
        """Open a stored package to run it there. Raises DeviceError when it is not there."""
        return StoredPackage(self, name, self.link.outline(name))

    def close(self) -> None:
        """Close the connection."""
        link, self._link = self._link, None
        if link is not None:
            link.close()


class StoredPackage:
    """A package on a device; `inputs` and `outputs` are those of an `OpenPackage`."""

    def __init__(self, device: ConnectedDevice, name: str, outline: Outline) -> None:
        self._device, self._name, self._outline = device, name, outline

    def __repr__(self) -> str:
        return f"<StoredPackage :{self._name} on {self._device!r}: {ends_text(self.info)}>"

    @property
    def info(self) -> PackageInfo:
        """The package's description of itself."""
        return self._outline.info

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Graph inputs."""
        return self.info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Graph outputs."""
        return self.info.outputs

    def run(self, inputs: Given, *, times: int = 1, quantize: bool = False) -> DeviceRun:
        """Run on the device, `times` times, with the inputs that `edgefm.open(…).run` takes.

        The result has `outputs` (None where the board has no room to keep them) and `end`: ticks,
        and the bytes that crossed each memory port. Raises BadInput for inputs that do not fit,
        DeviceError when the board stops the run, LinkError when the connection is lost.
        """
        given = read_inputs(inputs, self.info, f":{self._name}", quantize)
        result = self._device.link.run(self._name, self._outline.stream(given.arrays), times=times,
                                       outputs=self.outputs)
        if result.outputs is not None and not given.batched:
            result.outputs[:] = [without_batch(array) for array in result.outputs]
        return result


Device = ConnectedDevice  # the public name; the link has another class named Device
