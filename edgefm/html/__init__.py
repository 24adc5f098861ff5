# SPDX-License-Identifier: Apache-2.0
"""HTML pages: escaped text, pictures as SVG, one style, one policy; a report of plans."""
