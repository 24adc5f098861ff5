# SPDX-License-Identifier: Apache-2.0
"""TFLite's interpreter: the judge of bits, and what runs float networks fast."""
