# SPDX-License-Identifier: Apache-2.0
"""Compiles a network to a package. `pipeline.py` lists the steps, `options.py` has their options,
`plan_fields.py` describes a plan; `external.py` and `onchip.py` are the strategies."""
