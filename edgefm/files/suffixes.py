# SPDX-License-Identifier: Apache-2.0
"""What a file's name says it holds: one list for everything that looks into folders."""

from __future__ import annotations

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm",
                      ".pgm"))
ARRAYS = frozenset((".npy",))
INPUTS = PICTURES | ARRAYS  # of a network
# what commands read from the folders that they are given: pictures, tensors, labels, recordings
READ_FROM_FOLDERS = INPUTS | {".npz", ".txt", ".csv", ".samples", ".events"}
