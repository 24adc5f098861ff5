# SPDX-License-Identifier: Apache-2.0
"""The .efm file: its records, writing, reading, outline; what maps moved; inputs that fit it."""
