# SPDX-License-Identifier: Apache-2.0
"""File name suffixes and their contents: one list for all code that reads folders."""

from __future__ import annotations

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm",
                      ".pgm"))
ARRAYS = frozenset((".npy",))
INPUTS = PICTURES | ARRAYS  # of a network
# what commands read from the folders that they are given: pictures, tensors, labels, recordings
READ_FROM_FOLDERS = INPUTS | {".npz", ".txt", ".csv", ".samples", ".events"}
