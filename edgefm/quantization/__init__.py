# SPDX-License-Identifier: Apache-2.0
"""Float graphs become int8 graphs."""
