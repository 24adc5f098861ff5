# SPDX-License-Identifier: Apache-2.0
"""The folder for the files of running boards: one per checkout, which only its user may enter.

It is `<tmp>/edgefm-<uid>/boards/<checkout>`, the same in every session of a user (desktop, ssh or
cron). Packages that were installed without a checkout share `installed`.
EDGEFM_BOARDS names another folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from edgefm.errors import BadInput
from host_tools.boards.tree import BOARDS, IS_INSTALLED, ROOT

OTHERS, OTHERS_WRITE = 0o077, 0o022
INSTALLED = "installed"


def folder() -> Path:
    """This checkout's registry; created if it does not exist.

    Raises BadInput if it cannot be created, or if other users may change it.
    """
    named = os.environ.get("EDGEFM_BOARDS")
    try:
        return _named(Path(named)) if named else _usual()
    except OSError as error:
        raise BadInput(f"{error.filename}: no folder for running boards: {error.strerror}; "
                       "EDGEFM_BOARDS names another") from None


def checkout() -> str:
    """The name of this checkout's folder: its own name, and a hash of its path."""
    if IS_INSTALLED or not BOARDS.is_dir():
        return INSTALLED
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", ROOT.name)[:32]
    return f"{plain}-{hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12]}"


def _named(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_owner(path, path.stat())
    if path.stat().st_mode & OTHERS_WRITE:
        raise BadInput(f"{path}: other users may write there; type: chmod go-w {path}")
    return path


def _usual() -> Path:
    """Each level is this user's and closed; all users share the temporary folder above them."""
    path = Path(tempfile.gettempdir())
    for part in (f"edgefm-{os.getuid()}", "boards", checkout()):
        path /= part
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        _check_owner(path, found)
        if found.st_mode & OTHERS:
            path.chmod(0o700)
    return path


def _check_owner(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no folder"
        raise BadInput(f"{path}: got {kind} of user {found.st_uid}, expected a folder of user "
                       f"{os.getuid()}; EDGEFM_BOARDS names another")
