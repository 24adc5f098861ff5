# SPDX-License-Identifier: Apache-2.0
"""A network becomes a package: `pipeline.py` lists the steps, `external.py` and `onchip.py` are the
strategies, the others what those use."""
