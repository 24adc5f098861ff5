# SPDX-License-Identifier: Apache-2.0
"""The .efm file: written, read, described, and what its maps moved."""
