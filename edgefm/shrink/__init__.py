# SPDX-License-Identifier: Apache-2.0
"""Channels that a quantized network does not need: found by exact bounds, and taken out."""
