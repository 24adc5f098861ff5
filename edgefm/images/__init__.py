# SPDX-License-Identifier: Apache-2.0
"""Pictures in, answers out: files to input tensors, labels and annotations, outputs decoded."""
