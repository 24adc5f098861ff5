# SPDX-License-Identifier: Apache-2.0
"""The looks of pages and notebooks: light, dark, narrow and on paper."""

_LIGHT = """color-scheme: light dark; --paper: #fff; --ink: #1c2430; --soft: #5b6675;
  --line: #dde2e9; --tint: #f4f6f9; --ring: #9cc4ec; --ring-line: #3f7fc0; --map: #f3c47e;
  --map-line: #a56a10; --bar: #3f7fc0; --bar-soft: #c3ccd8; --bar-line: #7d8a9b; --here: #eaf2fb;"""
_DARK = """--paper: #14181e; --ink: #e4e9f0; --soft: #a3aebc; --line: #2d3642; --tint: #1b2129;
  --ring: #24507d; --ring-line: #76aee6; --map: #70480c; --map-line: #f0b45c; --bar: #5b9bd8;
  --bar-soft: #47525f; --bar-line: #8b98a8; --here: #1c2a3a;"""


def _colors(where: str) -> str:
    """The colors as properties of an element, light or dark as the reader's screen is."""
    return (f"{where} {{ {_LIGHT} }}\n"
            f"@media (prefers-color-scheme: dark) {{ {where} {{ {_DARK} }} }}\n"
            f"@media print {{ {where} {{ {_LIGHT} --soft: #444; --line: #bbb; }} }}\n")


_TABLES = """
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
tr.here > * { background: var(--here); }
.folding { width: 100%; } .folding td { overflow-wrap: break-word; }
.folding th.n { min-width: 0; } .folding th + th, .folding td + td { padding-left: .9rem; }
.folding th, .folding td { padding-right: 0; }
@media (max-width: 64rem) { .overview td.n { white-space: normal; overflow-wrap: anywhere; }
  .overview thead th.n { min-width: 0; } }
@media (max-width: 44rem) {
  .overview, .overview thead, .overview tbody { display: block; }
  .overview tr { display: flex; flex-wrap: wrap; border-bottom: 1px solid var(--line); }
  .overview tr > * { flex: 1 1 0; min-width: 0; border: 0; padding: .1rem .3rem .1rem 0; }
  .overview th[scope=row], .overview .part th { flex: 0 0 100%; color: var(--soft); }
  .overview td.n, .overview th.n { text-align: left; padding: .1rem .3rem .3rem 0; }
  .overview thead th:empty { display: none; }
  .folding thead { position: absolute; clip-path: inset(50%); width: 1px; overflow: hidden; }
  .folding tbody tr { display: block; padding: .45rem 0; border-bottom: 1px solid var(--line); }
  .folding tbody td { display: flex; justify-content: space-between; gap: 1rem; border: 0;
    padding: .1rem 0; white-space: normal; text-align: right; overflow-wrap: anywhere; }
  .folding td + td { padding: .1rem 0; } .folding td:empty { display: none; }
  .folding td:first-child { font-weight: 600; text-align: left; }
  .folding td + td::before { content: attr(data-column); color: var(--soft); text-align: left;
    flex: none; max-width: 45%; }
  tr.sum > td { font-weight: 600; }
}
"""
_PICTURES = """
.bars { list-style: none; margin: .75rem 0; padding: 0; display: grid; column-gap: .7rem;
  grid-template-columns: minmax(4rem, auto) minmax(0, 1fr) auto; font-size: .8rem; }
.bars li { display: grid; grid-template-columns: subgrid; grid-column: 1 / -1;
  align-items: center; padding: .14rem .3rem; margin: 0; }
.bars li.here { background: var(--here); outline: 1px solid var(--bar); }
.bars .what { text-align: right; max-width: 18rem; overflow-wrap: anywhere; }
.bars .said { color: var(--soft); font-variant-numeric: tabular-nums; }
.track { display: flex; height: 1.05rem; min-width: 0; }
.track > * { display: block; height: 100%; min-width: 1px; box-sizing: border-box; }
.plain, .maps { background: var(--bar); }
.other { background: var(--bar-soft); }
.saved { border: 1px solid var(--bar); background: repeating-linear-gradient(135deg,
  transparent 0 3px, var(--bar-soft) 3px 5px); }
.weights { background: var(--bar-soft); border: 1px solid var(--bar-line); }
.key { font-size: .875rem; margin: .5rem 0; }
.key > span { display: inline-block; margin-right: 1.2em; }
.swatch { display: inline-block; width: .85em; height: .85em; margin-right: .4em;
  vertical-align: -.08em; box-sizing: border-box; }
.ring { background: var(--ring); border: 1px solid var(--ring-line); }
.map { background: var(--map); border: 1px solid var(--map-line); }
.arena { display: grid; grid-template-columns: 4.6rem minmax(0, 1fr); font-size: .75rem;
  margin: 1.2rem 0 .5rem; color: var(--soft); }
.plot { position: relative; height: 352px; container-type: inline-size;
  border-left: 1px solid var(--line); }
.ys { position: relative; }
.ys span { position: absolute; right: .5rem; transform: translateY(50%); white-space: nowrap; }
.ys span:last-child { color: var(--ink); }
.xs { position: relative; height: 1.3rem; grid-column: 2; container-type: inline-size; }
.xs span { position: absolute; transform: translateX(-50%); top: .2rem; }
.xname { grid-column: 2; text-align: center; }
.plot u { position: absolute; left: 0; right: 0; border-top: 1px solid var(--line); }
.plot u.edge { border-top: 1px dashed var(--soft); }
.plot i { position: absolute; box-sizing: border-box; min-width: 2px; min-height: 1px;
  opacity: .85; }
.plot i:hover { outline: 2px solid var(--ink); z-index: 1; }
.plot b { position: absolute; transform: translateY(50%); color: var(--ink); font-weight: 400;
  padding-left: 4px; white-space: nowrap; pointer-events: none; }
.from500, .from800 { display: none; }
@container (min-width: 500px) { .from500 { display: inline; } }
@container (min-width: 800px) { .from800 { display: inline; } }
@media (max-width: 44rem) {
  .bars { grid-template-columns: minmax(0, 1fr) auto; }
  .bars .what { text-align: left; } .bars .said { grid-column: 2; grid-row: 1; }
  .bars .track { grid-column: 1 / -1; grid-row: 2; }
}
.note { color: var(--soft); font-size: .875rem; }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; padding: .3rem 0; }
"""
_SVG = """
svg { display: block; max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg.picture { min-width: 34rem; }
svg text { fill: var(--ink); }
svg .soft { fill: var(--soft); }
svg .grid { stroke: var(--line); }
svg .edge { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .bar { fill: var(--bar); }
"""
_PAGE = """
* { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.lead { font-size: 1.08rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
.name { overflow-wrap: anywhere; min-width: 9rem; }
@media (max-width: 36rem) { body { padding: 1.25rem .9rem 3rem; } h1 { font-size: 1.4rem; }
  .name { min-width: 0; } }
@media print { html { font-size: 12px; } body { max-width: none; padding: 0; }
  section { break-before: page; } h2 { margin-top: 0; border-top: 0; } .wide { overflow: visible; }
  svg.picture { min-width: 0; } h2, h3, h3 + .note { break-after: avoid; }
  tr, svg, .arena { break-inside: avoid; } }
"""
STYLE = _colors(":root") + _TABLES + _PICTURES + _SVG + _PAGE
SVG_STYLE = _colors(":root") + _SVG
NOTEBOOK = (_colors(".edgefm") + ".edgefm { background: var(--paper); color: var(--ink); "
            "padding: .6rem; overflow-wrap: anywhere;\n" + _TABLES + _PICTURES + "}\n")
