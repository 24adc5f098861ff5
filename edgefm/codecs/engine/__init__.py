# SPDX-License-Identifier: Apache-2.0
"""Bit streams and entropy coders that several codecs share."""
