# SPDX-License-Identifier: Apache-2.0
"""Coarser weights: `statistics` says what an error costs, `steps` makes them of one slope, `bits`
counts what they take coded, `signed` gives legacy networks the steps per channel that it takes."""
