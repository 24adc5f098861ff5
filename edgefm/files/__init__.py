# SPDX-License-Identifier: Apache-2.0
"""Files from outside, read within named limits; files for outside, checked first, written whole."""
