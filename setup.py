# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: cffi compiles the C runtime, and wheels bring its sources."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

C_SOURCES = ("native/include", "native/src", "firmware")


class BuildWithSources(build_py):
    """Puts the C sources into the wheel, for `edgefm export --c` and `edgefm flash`."""

    def run(self) -> None:
        """Copy Python files, then what edgefm.runtime.sources and host_tools.boards.tree find."""
        super().run()
        if self.editable_mode:
            return
        for folder in C_SOURCES:
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    target = Path(self.build_lib, "edgefm", "runtime", path)
                    self.mkpath(str(target.parent))
                    self.copy_file(str(path), str(target))


setup(cffi_modules=["edgefm/runtime/build.py:ffibuilder"],
      cmdclass={"build_py": BuildWithSources},
      options={"bdist_wheel": {"py_limited_api": "cp311"}})
