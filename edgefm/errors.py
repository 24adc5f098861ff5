# SPDX-License-Identifier: Apache-2.0
"""Every exception that edgefm raises on purpose.

EdgefmError                 one clear line; the command line prints it and exits with 2
├── BadInput                a file, image, table or option from the user is unusable
│   ├── UnsupportedModel    the file is sound, but uses something edgefm cannot run
│   └── BadContainer        an .efm is damaged, truncated or from a newer format
├── Infeasible              no plan fits the memory that was offered
├── MissingTool             an optional package or program is not installed
├── RuntimeFault            the C runtime stopped with a status other than EFM_OK
├── DeviceError             a device answered a request with a status other than OK
└── LinkError               the connection to a device does not work
    ├── LinkTimeout         nothing came in time
    ├── LinkLost            the port, the process or the session is gone
    └── BadMessage          a frame arrived whole, but is not what the protocol says

InputWarning                work continues; the message names the consequence
├── CalibrationWarning      ... for calibration
└── ClippingWarning         ... because values lie outside the range of an input
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class EdgefmError(Exception):
    """Base class of everything edgefm raises on purpose; its text is one line for a person."""


class BadInput(EdgefmError):
    """Something the user passed in is unusable: says where, what it got, what it expected."""


class UnsupportedModel(BadInput):
    """A sound model uses an operator, type or shape edgefm cannot run."""


class BadContainer(BadInput):
    """An .efm file is damaged, truncated, or needs a newer edgefm."""


class Infeasible(EdgefmError):
    """No plan fits; one needs `smallest` bytes of fast memory or more, because of `operator`."""

    def __init__(self, message: str, smallest: int, operator: str) -> None:
        super().__init__(message)
        self.smallest = smallest
        self.operator = operator


class MissingTool(EdgefmError):
    """An optional package or program is needed; the message says how to install it."""


class RuntimeFault(EdgefmError):
    """The C runtime refused or stopped; `status` is the efm_status number."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class DeviceError(EdgefmError):
    """A device refused a request; `status` is the number of docs/PROTOCOL.md."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class LinkError(EdgefmError):
    """The connection to a device cannot be opened, or delivers something wrong."""


class LinkTimeout(LinkError):
    """A device did not answer in time."""


class LinkLost(LinkError):
    """The port vanished, the process ended, or the device restarted."""


class BadMessage(LinkError):
    """A frame arrived whole, but its payload is not what the protocol says."""


@contextmanager
def naming(file: Path | None, name: str) -> Iterator[None]:
    """Errors that begin with a network's name begin with its file's name instead."""
    try:
        yield
    except EdgefmError as error:
        text = str(error)
        if file is not None and text.startswith(f"{name}: "):
            error.args = (f"{file}{text[len(name):]}", *error.args[1:])
        raise


class InputWarning(UserWarning):
    """Files that work, but not well; the message names the consequence in one line."""


class CalibrationWarning(InputWarning):
    """Calibration files that work, but not well."""


class ClippingWarning(InputWarning):
    """Files whose values lie outside the range of a network's input."""
