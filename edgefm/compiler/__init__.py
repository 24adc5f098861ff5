# SPDX-License-Identifier: Apache-2.0
"""A network becomes a package: `pipeline.py` is the way, the others are its strategies."""
