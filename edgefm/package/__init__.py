# SPDX-License-Identifier: Apache-2.0
"""The .efm file: records, writing, reading, its outline; what its maps moved; inputs that fit it."""
