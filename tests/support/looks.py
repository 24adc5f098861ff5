# SPDX-License-Identifier: Apache-2.0
"""What is wrong with how a page looks, as JavaScript expressions that give a list of findings."""

from __future__ import annotations

# A page that scrolls sideways, text that is cut, elements beyond the right edge.
MISFITS = """(() => {
  const found = [], width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width)
    found.push(`the page is ${document.documentElement.scrollWidth} wide, the screen ${width}`);
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest("details:not([open])") && !element.matches("summary")) continue;
    const style = getComputedStyle(element), hidden = style.clipPath.startsWith("inset");
    if (style.overflowX != "visible" && !hidden && element.clientWidth > 0 &&
        element.scrollWidth > element.clientWidth + 1)
      found.push(`cut: ${element.tagName} ${element.textContent.slice(0, 40)}`);
    const edge = element.getBoundingClientRect();
    if (edge.width && edge.right > width + 1 && !element.closest("svg, thead"))
      found.push(`beyond the edge: ${element.tagName}.${element.className} ${edge.right}`);
  }
  return found.slice(0, 8);
})()"""

# Elements of a selector (WHAT) that lie over each other.
COVERED = """(() => {
  const all = [...document.querySelectorAll("WHAT")].filter(one => one.offsetParent)
    .map(one => [one.textContent, one.getBoundingClientRect()]).filter(([, box]) => box.width);
  const found = [];
  all.forEach(([text, a], at) => all.slice(at + 1).forEach(([other, b]) => {
    if (a.left < b.right - 1 && b.left < a.right - 1 &&
        a.top < b.bottom - 4 && b.top < a.bottom - 4)
      found.push(`${text} over ${other}`);
  }));
  return found.slice(0, 8);
})()"""

# Text whose contrast to what is behind it is below that of WCAG 2.1, level AA.
PALE = """(() => {
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 :
    ((v + .055) / 1.055) ** 2.4).reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const color = parts(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0.5) return color;
    }
    return [255, 255, 255];
  };
  const found = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement, box = element.getBoundingClientRect();
    if (!walk.currentNode.textContent.trim() || !box.width || element.closest("svg, script, style"))
      continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const [a, b] = [light(parts(style.color)), light(behind(element))].sort((x, y) => y - x);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if ((a + .05) / (b + .05) < least)
      found.add(`${element.tagName}.${element.className} ${((a + .05) / (b + .05)).toFixed(2)} `
                + element.textContent.trim().slice(0, 30));
  }
  return [...found].slice(0, 8);
})()"""
