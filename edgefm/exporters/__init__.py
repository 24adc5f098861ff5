# SPDX-License-Identifier: Apache-2.0
"""A `Graph` to model files that others can judge."""
