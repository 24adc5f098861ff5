# SPDX-License-Identifier: Apache-2.0
"""Training of the bundled networks (extra `[train]`); nothing else imports this package."""
