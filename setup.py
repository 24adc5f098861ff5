# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: cffi compiles the C runtime, and wheels bring its sources."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithSources(build_py):
    """Puts the runtime's C files into the wheel, for `edgefm export --c`."""

    def run(self) -> None:
        """Copy Python files, then those of native/ that edgefm.runtime.sources looks for."""
        super().run()
        if self.editable_mode:
            return
        for folder in ("include", "src"):
            for path in sorted(Path("native", folder).rglob("*.[ch]")):
                target = Path(self.build_lib, "edgefm", "runtime", path)
                self.mkpath(str(target.parent))
                self.copy_file(str(path), str(target))


setup(cffi_modules=["edgefm/runtime/build.py:ffibuilder"],
      cmdclass={"build_py": BuildWithSources},
      options={"bdist_wheel": {"py_limited_api": "cp311"}})
