# SPDX-License-Identifier: Apache-2.0
"""Power meters, one file each, all alike: docs/POWER.md says how each is wired and opened.

meter       what every meter can do, and times from arrivals
polled      meters that are asked again and again
ppk2 joulescope hwmon pmic lpm01a otii      the drivers
meters      by name: found, opened, tested, recorded
"""
