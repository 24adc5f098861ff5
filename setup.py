# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the C runtime is compiled by cffi."""

from setuptools import setup

setup(cffi_modules=["edgefm/runtime/build.py:ffibuilder"],
      options={"bdist_wheel": {"py_limited_api": "cp311"}})
