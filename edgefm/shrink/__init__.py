# SPDX-License-Identifier: Apache-2.0
"""Finds channels that a quantized network does not need, by exact bounds, and removes them."""
