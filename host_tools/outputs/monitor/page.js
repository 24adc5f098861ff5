// SPDX-License-Identifier: Apache-2.0
// The live page: states come as server-sent events, power is fetched for the window that is shown.
"use strict";

const $ = id => document.getElementById(id);
const LIVE_SECONDS = 10;
const LEFT = 66, TOP = 16, BOTTOM = 22;
const view = { paused: false, window: null, shown: null, state: null, busy: false, again: false, drag: null };

// -- words -----------------------------------------------------------------------------------------

function amount(value, unit) {
  if (value === null || value === undefined) return "–";
  const steps = [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];
  const [scale, prefix] = steps.find(([s]) => Math.abs(value) >= s) ?? [1e-12, "p"];
  return value === 0 ? `0 ${unit}` : `${(value / scale).toPrecision(4)} ${prefix}${unit}`;
}

function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  if (bytes >= 1 << 20) return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
  return bytes >= 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${bytes} B`;
}

const count = value => value === null || value === undefined ? "–" : value.toLocaleString("en");
const time = (stage, unit) => stage.seconds !== null ? amount(stage.seconds, "s") : `${count(stage.ticks)} ${unit}`;
const bits = stage => stage.coded_values ? (8 * stage.coded_bytes / stage.coded_values).toFixed(2) : "–";
const rate = (bytes, stage) => stage.seconds ? `${size(bytes / stage.seconds)}/s` : "–";

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// A name's cell: it may be broken between the parts of the name.
function nameCell(name) {
  const cell = element("td");
  cell.append(...name.split(/(?<=[/_])/).flatMap(part => [part, element("wbr")]));
  return cell;
}

// -- state -----------------------------------------------------------------------------------------

function figure(label, value) {
  const made = element("div", undefined, "figure");
  made.append(element("b", value), element("span", label));
  return made;
}

function showState(state) {
  view.state = state;
  document.title = `${state.board || "edgefm"}: ${state.network || "monitor"}`;
  $("title").textContent = `${state.network || "edgefm monitor"}${state.board ? ` on ${state.board}` : ""}`;
  $("status").className = state.growing ? "" : "gone";
  $("status").textContent = state.growing ? `recording: ${state.command}` : `ended (${state.state})`;
  const figures = [figure("runs", count(state.runs))];
  const last = state.last;
  if (last) {
    figures.push(figure("time of the last run", time(last.total, state.unit)));
    figures.push(figure(`fast memory, high water, of ${size(state.fast_bytes)}`, size(last.high_water)));
    figures.push(figure("bits per value of coded maps", bits(last.total)));
  }
  for (const now of state.now) figures.push(figure(`${now.rail}, now`, amount(now.mean, now.unit)));
  if (last && !state.now.length)
    figures.push(figure("energy of a run, modeled", amount(last.modeled, "J")));
  for (const meter of state.meters)
    figures.push(figure(`${meter.name}: samples lost of ${count(meter.samples)}${meter.ended ? "; ended" : ""}`,
                        count(meter.lost)));
  if (state.failed) figures.push(figure("failed runs", count(state.failed)));
  if (state.missed) figures.push(figure("events lost on the line", count(state.missed)));
  $("figures").replaceChildren(...figures);
  showBytes(last);
  showStages(last, state.unit);
  showMaps(last);
  const problems = [...state.problems];
  if (!state.known) problems.push(`firmware build ${state.build} is not known; its events are recorded as they came`);
  $("problems").hidden = problems.length === 0;
  $("problems").querySelector("ul").replaceChildren(...problems.map(text => element("li", text)));
  if (!view.paused) refresh();
}

function bar(label, bytes, most, raw) {
  const row = element("div", undefined, "row"), track = element("div", undefined, "track");
  const fill = element("div", undefined, raw ? "fill raw" : "fill");
  fill.style.width = `${most ? 100 * bytes / most : 0}%`;
  track.append(fill);
  row.append(element("span", label), track, element("span", size(bytes), "n"));
  return row;
}

function showBytes(last) {
  if (!last) { $("bytes").replaceChildren(element("p", "no whole run yet", "note")); return; }
  const all = last.total, rows = [];
  const pairs = [["maps read", all.external_read_bytes, all.raw_read],
                 ["maps written", all.external_write_bytes, all.raw_write]];
  const most = Math.max(1, all.weight_read_bytes, all.input_read_bytes, ...pairs.flatMap(([, a, b]) => [a, b ?? 0]));
  for (const [name, coded, raw] of pairs) {
    const differs = raw !== null && raw !== coded;
    if (differs) rows.push(bar(`${name}, raw`, raw, most, true));
    rows.push(bar(differs ? `${name}, coded` : name, coded, most, false));
  }
  rows.push(bar("weights read", all.weight_read_bytes, most, false), bar("input", all.input_read_bytes, most, false));
  $("bytes").replaceChildren(...rows);
}

const HEADS = ["stage", "time", "maps read", "written", "maps per second", "weights", "weights per second", "bits/value"];

function showStages(last, unit) {
  $("stages").tHead.rows[0].replaceChildren(...HEADS.map(text => element("th", text)));
  const rows = (last ? [...last.stages, last.total] : []).map((stage, i) => {
    const row = element("tr", undefined, last && i === last.stages.length ? "sum" : "");
    const maps = stage.external_read_bytes + stage.external_write_bytes;
    row.append(nameCell(stage.name));
    for (const text of [time(stage, unit), count(stage.external_read_bytes),
                        count(stage.external_write_bytes), rate(maps, stage), count(stage.weight_read_bytes),
                        rate(stage.weight_read_bytes, stage), bits(stage)])
      row.append(element("td", text));
    return row;
  });
  $("stages").tBodies[0].replaceChildren(...rows);
}

const MAP_HEADS = ["stored map", "bits/value", "", "codec", "raw", "written", "read"];

function showMaps(last) {
  const maps = last ? last.maps : [], most = Math.max(8, ...maps.map(one => one.bits_per_value ?? 0));
  $("maps-part").hidden = maps.length === 0 && !last?.no_maps;
  $("maps").hidden = maps.length === 0;
  $("no-maps").textContent = last?.no_maps ?? "";
  $("maps").tHead.rows[0].replaceChildren(...MAP_HEADS.map(text => element("th", text)));
  $("maps").tBodies[0].replaceChildren(...maps.map(one => {
    const row = element("tr"), track = element("div", undefined, "track"), cell = element("td", undefined, "bits");
    const fill = element("div", undefined, one.codec === "raw" ? "fill raw" : "fill");
    fill.style.width = `${100 * (one.bits_per_value ?? 0) / most}%`;
    track.append(fill);
    cell.append(track);
    row.append(nameCell(one.name),
               element("td", one.bits_per_value === null ? "–" : one.bits_per_value.toFixed(2)), cell,
               element("td", one.pooled ? `${one.codec}, page pool` : one.codec),
               ...[one.raw_bytes, one.write_bytes, one.read_bytes].map(bytes => element("td", count(bytes))));
    return row;
  }));
}

// -- power -----------------------------------------------------------------------------------------

function currentWindow() {
  const [first, last] = view.state ? view.state.span : [0, 1];
  if (view.window) return view.window;
  return [Math.max(first, last - LIVE_SECONDS), Math.max(last, first + 1e-3)];
}

async function refresh() {
  if (view.busy) { view.again = true; return; }
  view.busy = true;
  try {
    const [start, stop] = currentWindow();
    const buckets = Math.max(50, Math.round($("power").clientWidth - LEFT));
    const answer = await fetch(`power?start=${start}&stop=${stop}&buckets=${buckets}`);
    if (answer.ok) { view.shown = await answer.json(); draw(); }
  } catch { /* the server is gone: the stream says so */ }
  view.busy = false;
  if (view.again) { view.again = false; refresh(); }
}

function roundUp(value) {
  const base = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map(s => s * base).find(s => s >= value * 0.9999);
}

function draw(hover) {
  const canvas = $("power"), shown = view.shown, scale = window.devicePixelRatio || 1;
  if (!shown) return;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  const color = name => style.getPropertyValue(name).trim();
  pen.scale(scale, scale);
  pen.font = "11px system-ui, sans-serif";
  const rails = shown.rails, most = Math.max(0, ...rails.flatMap(r => r.high.filter(v => v !== null)));
  const top = roundUp(most || 1), span = shown.stop - shown.start;
  const x = at => LEFT + (at - shown.start) / span * (width - LEFT);
  const y = value => height - BOTTOM - Math.max(value, 0) / top * (height - TOP - BOTTOM);
  drawBands(pen, shown, x, height, color);
  pen.fillStyle = color("--second");
  pen.globalAlpha = 0.45;
  for (const [start, stop] of shown.gaps) pen.fillRect(x(start), TOP, Math.max(1, x(stop) - x(start)), height - TOP - BOTTOM);
  pen.globalAlpha = 1;
  const steps = width < 520 ? 2 : 4;
  for (let i = 0; i <= steps; i++) {
    const value = top * i / steps;
    pen.strokeStyle = color("--line");
    pen.beginPath(); pen.moveTo(LEFT, y(value)); pen.lineTo(width, y(value)); pen.stroke();
    pen.fillStyle = color("--soft"); pen.textAlign = "right";
    pen.fillText(amount(value, rails[0]?.unit ?? ""), LEFT - 6, y(value) + 4);
    const at = shown.start + span * i / steps;
    pen.textAlign = i === steps ? "right" : i ? "center" : "left";
    pen.fillText(`${at.toFixed(span < 1 ? 4 : 2)} s`, x(at), height - 6);
  }
  rails.forEach((rail, number) => drawRail(pen, rail, x, y, shown, color(number % 2 ? "--second" : "--bar")));
  if (!rails.length) { pen.textAlign = "center"; pen.fillText("no power meter", width / 2, height / 2); }
  if (view.drag) {
    pen.fillStyle = color("--bar"); pen.globalAlpha = 0.2;
    pen.fillRect(Math.min(...view.drag), TOP, Math.abs(view.drag[1] - view.drag[0]), height - TOP - BOTTOM);
    pen.globalAlpha = 1;
  }
  if (hover !== undefined) { pen.strokeStyle = color("--soft"); pen.beginPath(); pen.moveTo(hover, TOP); pen.lineTo(hover, height - BOTTOM); pen.stroke(); }
  canvas.dataset.points = rails.reduce((sum, rail) => sum + rail.mean.filter(v => v !== null).length, 0);
  canvas.dataset.bands = shown.bands.length;
}

function drawBands(pen, shown, x, height, color) {
  const names = view.state?.last?.stages ?? [];
  for (const [start, stop, stage] of shown.bands) {
    const left = Math.max(LEFT, x(start)), right = x(stop);
    pen.fillStyle = color("--soft");
    pen.globalAlpha = stage % 2 ? 0.17 : 0.07;
    pen.fillRect(left, TOP, right - left, height - TOP - BOTTOM);
    pen.globalAlpha = 1;
    const name = names[stage]?.name ?? `${stage}`;
    pen.textAlign = "left";
    if (pen.measureText(name).width < right - left - 4) pen.fillText(name, left + 2, TOP - 4);
  }
}

function drawRail(pen, rail, x, y, shown, color) {
  const buckets = rail.mean.length, step = (shown.stop - shown.start) / buckets;
  const at = i => x(shown.start + (i + 0.5) * step);
  for (let i = 0; i < buckets;) {
    if (rail.mean[i] === null) { i++; continue; }
    let end = i;
    while (end < buckets && rail.mean[end] !== null) end++;
    pen.fillStyle = color; pen.globalAlpha = 0.3; pen.beginPath();
    for (let j = i; j < end; j++) pen.lineTo(at(j), y(rail.high[j]));
    for (let j = end - 1; j >= i; j--) pen.lineTo(at(j), y(rail.low[j]));
    pen.fill(); pen.globalAlpha = 1; pen.strokeStyle = color; pen.beginPath();
    for (let j = i; j < end; j++) pen.lineTo(at(j), y(rail.mean[j]));
    pen.stroke();
    i = end;
  }
}

function timeAt(position) {
  const { start, stop } = view.shown;
  return start + (position - LEFT) / ($("power").clientWidth - LEFT) * (stop - start);
}

function hoverText(position) {
  const shown = view.shown, at = timeAt(position);
  if (at < shown.start || at > shown.stop) return "";
  const words = [`${at.toFixed(4)} s`];
  for (const rail of shown.rails) {
    const i = Math.min(rail.mean.length - 1, Math.floor((at - shown.start) / (shown.stop - shown.start) * rail.mean.length));
    words.push(rail.mean[i] === null ? `${rail.rail}: nothing measured`
      : `${rail.rail}: ${amount(rail.mean[i], rail.unit)} (${amount(rail.low[i], rail.unit)} to ${amount(rail.high[i], rail.unit)})`);
  }
  const band = shown.bands.find(([start, stop]) => start <= at && at < stop);
  if (band) words.push(`stage ${band[2]}: ${view.state?.last?.stages[band[2]]?.name ?? ""}`);
  return words.join("; ");
}

// -- hands -----------------------------------------------------------------------------------------

function pause(on) {
  view.paused = on;
  $("pause").setAttribute("aria-pressed", on);
  $("pause").textContent = on ? "Paused" : "Pause";
  if (!on) refresh();
}

function zoom(factor, center) {
  const [start, stop] = currentWindow(), middle = center ?? (start + stop) / 2;
  const [first, last] = view.state?.span ?? [start, stop];
  const left = Math.max(first, middle - (middle - start) * factor);
  const right = Math.min(last, middle + (stop - middle) * factor);
  if (right - left > 1e-5) view.window = [left, right];
  refresh();
}

function goLive() { view.window = null; pause(false); }

$("pause").addEventListener("click", () => pause(!view.paused));
$("in").addEventListener("click", () => zoom(0.5));
$("out").addEventListener("click", () => zoom(2));
$("live").addEventListener("click", goLive);
$("power").addEventListener("dblclick", goLive);
$("power").addEventListener("wheel", event => {
  if (!view.shown) return;
  event.preventDefault();
  zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event.offsetX));
}, { passive: false });
$("power").addEventListener("pointerdown", event => { if (view.shown) view.drag = [event.offsetX, event.offsetX]; });
$("power").addEventListener("pointermove", event => {
  if (!view.shown) return;
  if (view.drag) view.drag[1] = event.offsetX;
  $("hover").textContent = hoverText(event.offsetX);
  draw(event.offsetX);
});
$("power").addEventListener("pointerup", () => {
  const drag = view.drag;
  view.drag = null;
  if (drag && Math.abs(drag[1] - drag[0]) > 5) {
    view.window = [timeAt(Math.min(...drag)), timeAt(Math.max(...drag))];
    refresh();
  }
});
$("power").addEventListener("pointerleave", () => { view.drag = null; $("hover").textContent = ""; draw(); });
window.addEventListener("resize", refresh);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());

const source = new EventSource("events");
source.onmessage = message => showState(JSON.parse(message.data));
source.onerror = () => {
  $("status").className = "gone";
  $("status").textContent = "the monitor has ended; what it recorded is kept";
};
