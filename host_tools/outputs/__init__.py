# SPDX-License-Identifier: Apache-2.0
"""What is made of recordings: report, live page, comparison, trace, tables."""
