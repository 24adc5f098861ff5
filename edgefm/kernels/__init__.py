# SPDX-License-Identifier: Apache-2.0
"""What the C kernels of native/src/kernels want of a program: tiles, packings, scratch."""
