# SPDX-License-Identifier: Apache-2.0
"""Is it right, how accurate, what does it cost: all that judges a compiled network."""
