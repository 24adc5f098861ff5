# SPDX-License-Identifier: Apache-2.0
"""Coarser weights. `statistics` gives the cost of an error, `steps` makes weights of one slope,
`bits` counts their coded size, `signed` gives legacy networks the steps per channel they need."""
