# SPDX-License-Identifier: Apache-2.0
"""A network becomes a package: `pipeline.py` lists the steps, `options.py` what they are told,
`plan_fields.py` what is told of a plan; `external.py` and `onchip.py` are the strategies."""
