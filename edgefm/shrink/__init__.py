# SPDX-License-Identifier: Apache-2.0
"""Channels that a quantized network does not need: found by exact bounds, and taken out.

`shrunk` gives a network with the same outputs, to the bit, for every possible input.
"""

from edgefm.shrink.channels import UNREAD, Removed, shrunk

__all__ = ["UNREAD", "Removed", "shrunk"]
