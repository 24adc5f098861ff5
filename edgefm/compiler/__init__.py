# SPDX-License-Identifier: Apache-2.0
"""A network becomes a package: `pipeline.py` is the way, `options.py` what it is told,
`plan_fields.py` what is told of a plan, the others are its strategies."""
