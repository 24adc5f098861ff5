# SPDX-License-Identifier: Apache-2.0
"""The report's looks: light, dark, narrow and on paper."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2430; --soft: #5b6675; --line: #dde2e9;
  --tint: #f4f6f9; --ring: #7fb0e0; --ring-line: #3f7fc0; --map: #f0b45c; --map-line: #b97a17;
  --bar: #3f7fc0; --bar-soft: #c3ccd8; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181e; --ink: #e4e9f0; --soft: #98a4b3;
  --line: #2d3642; --tint: #1b2129; --ring: #2c5f92; --ring-line: #76aee6; --map: #8a5a12;
  --map-line: #f0b45c; --bar: #5b9bd8; --bar-soft: #47525f; } }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --tint: #f4f4f4;
  --ring: #7fb0e0; --ring-line: #3f7fc0; --map: #f0b45c; --map-line: #b97a17; --bar: #3f7fc0;
  --bar-soft: #c3ccd8; } }
* { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.lead { font-size: 1.08rem; }
.note { color: var(--soft); font-size: .875rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .9rem .32rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
thead th { color: var(--soft); font-size: .8rem; vertical-align: bottom; }
tbody th { font-weight: 400; min-width: 8rem; }
td.n, th.n { text-align: right; padding: .32rem 0 .32rem 1.1rem; }
td.n { white-space: nowrap; }
thead th.n { overflow-wrap: anywhere; min-width: 5.5rem; }
tr.sum > * { font-weight: 600; border-bottom: 0; border-top: 2px solid var(--line); }
tr.part th { padding-top: 1.1rem; color: var(--soft); font-size: .8rem; font-weight: 600; }
.name { overflow-wrap: anywhere; min-width: 9rem; }
svg { display: block; max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg.picture { min-width: 34rem; }
svg text { fill: var(--ink); }
svg .soft { fill: var(--soft); }
svg .grid { stroke: var(--line); }
svg .edge { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .ring { fill: var(--ring); stroke: var(--ring-line); fill-opacity: .8; }
svg .map { fill: var(--map); stroke: var(--map-line); fill-opacity: .8; }
svg .bar { fill: var(--bar); }
svg .bar.soft { fill: var(--bar-soft); }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 .9em;
  border: 1px solid; }
.key.ring { background: var(--ring); border-color: var(--ring-line); margin-left: 0; }
.key.map { background: var(--map); border-color: var(--map-line); }
@media (max-width: 36rem) { body { padding: 1.25rem .9rem 3rem; } h1 { font-size: 1.4rem; } }
@media print { html { font-size: 12px; } body { max-width: none; padding: 0; }
  section { break-before: page; } h2 { margin-top: 0; border-top: 0; } .wide { overflow: visible; }
  svg.picture { min-width: 0; } h2, h3, h3 + .note { break-after: avoid; }
  tr, svg { break-inside: avoid; } }
"""
