# SPDX-License-Identifier: Apache-2.0
"""Opens and runs a package with the same C code that runs on the device."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from edgefm.errors import BadInput
from edgefm.html.notebook import fields_table
from edgefm.network.graph import Array
from edgefm.package.ends import ends_fields, ends_text
from edgefm.package.inputs import own_inputs
from edgefm.package.read import PackageInfo, TensorInfo
from edgefm.runtime.lending import whole_number
from edgefm.runtime.opened import Opened
from edgefm.runtime.result import RunResult
from edgefm.runtime.weight_port import Weights

_MOST_FRAMES = 0xFFFFFFFF


class Runtime:
    """An opened package; a context manager.

    One instance runs one inference at a time, and refuses a second run meanwhile. Any number of
    instances may run at the same time (the C code releases the interpreter lock).
    """

    def __init__(self, package: bytes, name: str | None = None, threads: int = 1,
                 weights: Weights | None = None) -> None:
        """Check the package, which messages call `name`; `threads` (1..32) share the work of each
        run, whose results are the same bits. Raises BadContainer when it is damaged or too new,
        BadInput when it is not bytes or for another number of threads. A bytearray or another
        buffer that may change is copied. Weights behind a port are read from `weights` while the
        network runs, a path or an object with `seek` and `readinto`, which has the whole package or
        the weights alone; else from the package."""
        opened = Opened(package, name, threads, weights)
        self._info, self._where, self._threads = opened.info, opened.where, opened.threads
        self._opened: Opened | None = opened

    def __enter__(self) -> Runtime:
        self._still_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = ", closed" * (self._opened is None)
        return f"<{type(self).__name__} {self._where}{closed}: {ends_text(self._info)}>"

    def _repr_html_(self) -> str:
        return fields_table(f"{type(self).__name__} {self._where}", ends_fields(self._info))

    @property
    def closed(self) -> bool:
        """True once it is closed."""
        return self._opened is None

    def close(self) -> None:
        """Release the memory; a run that is under way in another thread keeps it until it ends."""
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    @property
    def info(self) -> PackageInfo:
        """What the package says about itself."""
        return self._info

    @property
    def threads(self) -> int:
        """Threads that share the work of a run: fewer than asked for where the system gave fewer.
        In a process that is forked off it is done by one."""
        return self._threads

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Graph inputs."""
        return self._info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Graph outputs."""
        return self._info.outputs

    def run(self, inputs: Sequence[Array], taps: bool = False, frame: int = 0) -> RunResult:
        """Run once. `inputs` have the shapes and dtypes of `self.inputs`.

        `frame` counts the pictures of a stream: those after 0 may be coded against the one before.

        Raises BadInput for an input of another shape or type, for a runtime that is closed or busy
        with another run, and RuntimeFault when the runtime stops or writes outside its arena.
        """
        opened = self._still_open()
        arrays = own_inputs(inputs, opened.info, opened.where)
        number = whole_number(frame, 0, _MOST_FRAMES, f"{opened.where}: frame")
        if not opened.busy.acquire(blocking=False):
            raise BadInput(f"{opened.where}: this runtime is busy with another run; "
                           "open one for each thread")
        try:
            return opened.run(arrays, bool(taps), number)
        finally:
            opened.busy.release()

    def _still_open(self) -> Opened:
        opened = self._opened
        if opened is None:
            raise BadInput(f"{self._where}: this runtime is closed; open the package again")
        return opened
