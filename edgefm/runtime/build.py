# SPDX-License-Identifier: Apache-2.0
"""Compile native/ and the PC board into the extension module `edgefm.runtime._native`."""

from __future__ import annotations

import os
from pathlib import Path

from cffi import FFI

ROOT = Path(os.path.abspath(__file__)).parent.parent.parent
NATIVE = ROOT / "native"
HERE = ROOT / "edgefm" / "runtime"


def sources() -> list[str]:
    """C files of the runtime and the PC board, relative to the project's root."""
    files = [*NATIVE.glob("src/**/*.c"), *NATIVE.glob("ports/pc/*.c")]
    return sorted(os.path.relpath(f, ROOT) for f in files)


def headers() -> list[str]:
    """What the sources include; a change rebuilds the module."""
    files = [*NATIVE.glob("**/*.h"), HERE / "cdef.h"]
    return sorted(os.path.relpath(f, ROOT) for f in files)


def make_builder() -> FFI:
    """The cffi builder; warnings are errors where the project is developed (EDGEFM_WERROR=1)."""
    builder = FFI()
    cdef = (HERE / "cdef.h").read_text(encoding="utf-8")
    builder.cdef(cdef)
    flags = ["-std=c11", "-O3", "-ffp-contract=off"]
    if os.environ.get("EDGEFM_WERROR"):
        flags += ["-Werror=incompatible-pointer-types", "-Werror=implicit-function-declaration"]
    builder.set_source(
        "edgefm.runtime._native",
        '#include "pc.h"\n#include "codecs/codec.h"\n',
        sources=sources(),
        depends=headers(),
        include_dirs=["native/include", "native/src", "native/ports/pc"],
        define_macros=[("EFM_WITH_TAP", "1"), ("EFM_WITH_WORKERS", "1")],
        extra_compile_args=[*flags, "-pthread"],
        extra_link_args=["-pthread"])
    return builder


ffibuilder = make_builder()

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
