# SPDX-License-Identifier: Apache-2.0
"""The docs site: documents of this tree, reference pages made from sources, and MkDocs."""
