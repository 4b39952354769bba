"use strict";
// Drawings of a run: layers, values of the worst tensors, answers by position, files side by side.
const dark = matchMedia("(prefers-color-scheme: dark)");
function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}
const drawings = [];
function drawn(holder, draw) {
  const again = () => holder.replaceChildren(draw(colours()));
  drawings.push(again);
  again();
  return holder;
}
dark.addEventListener("change", () => drawings.forEach((again) => again()));
function described(svg, text) {
  const target = svg.tagName.toLowerCase() === "svg" ? svg : svg.querySelector("svg:last-of-type");
  svg.querySelectorAll("g[aria-label]").forEach((part) => part.removeAttribute("aria-label"));
  if (target) { target.setAttribute("role", "img"); target.setAttribute("aria-label", text); }
  return svg;
}

const MEASURES = {
  share: { label: "relative RMSE, as a share of its budget", of: (row) => row.share, mark: 1, said: (row) => `relative RMSE ${figure(row.error)}${row.budget ? ` of ${figure(row.budget)}` : ""}` },
  error: { label: "relative RMSE", of: (row) => row.error, said: (row) => `relative RMSE ${figure(row.error)}` },
  turn: { label: "1 − smallest cosine of a row", of: (row) => row.turn, said: (row) => `smallest row cosine ${figure(row.row_cosine, 6)}` },
  std: { label: "standard deviation", of: (row) => row.std, said: (row) => `standard deviation ${figure(row.std)}` },
};

function layerMap(rows, key) {
  const measure = MEASURES[key];
  const worst = new Map();
  for (const row of rows) {
    const value = measure.of(row);
    if (row.layer === null || value === null) continue;
    const place = `${row.role} ${row.layer}`, seen = worst.get(place);
    if (!seen || value > seen.value) worst.set(place, { role: row.role, layer: row.layer, value, row });
  }
  const cells = [...worst.values()];
  const finite = cells.map((cell) => cell.value).filter((value) => Number.isFinite(value) && value > 0);
  const most = Math.max(measure.mark ? 1.25 : 0, ...finite) || 1, least = Math.min(...finite, most);
  const shown = (cell) => Math.min(cell.value, most);
  const layers = [...new Set(cells.map((cell) => cell.layer))].sort((a, b) => a - b);
  const roles = [...new Set(cells.map((cell) => cell.role))].sort();
  const label = Math.max(...roles.map((role) => role.length)) * 6.4 + 18;
  return (colour) => {
    const size = Math.max(11, Math.min(44, 980 / layers.length));
    const marks = [
      Plot.cell(cells, {
        x: "layer", y: "role", fill: shown, inset: 0.5, channels: { tensor: (cell) => cell.row.tensor, figure: (cell) => measure.said(cell.row) },
        tip: { format: { fill: false, x: true, y: true, tensor: true, figure: true }, fill: colour("sheet"), stroke: colour("line") },
      }),
    ];
    const over = measure.mark ? cells.filter((cell) => cell.value > measure.mark) : [];
    if (over.length) marks.push(Plot.cell(over, { x: "layer", y: "role", stroke: colour("falsified"), strokeWidth: 2, inset: 1 }));
    const from = dark.matches ? "#2b3a4d" : "#e8eef5";
    const scale = least > 0 && most / least > 50 && !measure.mark ? "log" : "linear";
    const plot = Plot.plot({
      marks,
      marginLeft: label, marginTop: 26, marginBottom: 8, marginRight: 12, width: label + 30 + size * layers.length, height: 44 + 21 * roles.length,
      x: { domain: layers, axis: "top", label: null, tickSize: 0, ticks: layers.length > 40 ? layers.filter((_, at) => at % 4 === 0) : undefined },
      y: { domain: roles, label: null, tickSize: 0 },
      color: { type: scale, domain: scale === "log" ? [least, most] : [0, most], interpolate: d3.interpolateRgbBasis(dark.matches ? [from, "#34618f", "#5f86d8", "#b77fd0", "#ff7a6e"] : [from, "#a9c8e6", "#5b8fc9", "#7d58a8", "#b3261e"]), legend: true, label: measure.label },
      style: { color: colour("ink"), fontSize: "11px", background: "transparent", overflow: "visible" },
    });
    const high = cells.reduce((a, b) => (b.value > a.value ? b : a), cells[0]);
    return described(plot, `${measure.label} by layer and role: ${plain.format(cells.length)} cells, ${over.length} above the budget; the largest at ${high.row.tensor}, ${measure.said(high.row)}`);
  };
}

function scatter(one, row) {
  const points = one.source.map((source, at) => ({ source, target: one.target[at] }));
  const reach = Math.max(...points.flatMap((point) => [Math.abs(point.source), Math.abs(point.target)])) || 1;
  return (colour) => described(Plot.plot({
    width: 320, height: 300, marginLeft: 54, marginBottom: 38, grid: true,
    x: { label: "source", domain: [-reach, reach], ticks: 5 }, y: { label: "target", domain: [-reach, reach], ticks: 5 },
    marks: [
      Plot.link([0], { x1: -reach, y1: -reach, x2: reach, y2: reach, stroke: colour("soft"), strokeDasharray: "3 3" }),
      Plot.dot(points, { x: "source", y: "target", r: 1.6, fill: colour("link"), fillOpacity: 0.55 }),
    ],
    style: { color: colour("ink"), fontSize: "11px", background: "transparent" },
  }), `${one.tensor}: ${points.length} values against the source's; relative RMSE ${figure(row && row.error)}`);
}

function errors(rows) {
  const values = rows.filter((row) => Number.isFinite(row.error) && row.error > 0);
  return (colour) => described(Plot.plot({
    width: 320, height: 300, marginLeft: 44, marginBottom: 38, grid: true,
    x: { label: "relative RMSE of a tensor" }, y: { label: "tensors" },
    marks: [Plot.rectY(values, Plot.binX({ y: "count" }, { x: "error", fill: colour("link"), thresholds: 30 })), Plot.ruleY([0], { stroke: colour("line") })],
    style: { color: colour("ink"), fontSize: "11px", background: "transparent" },
  }), `Tensors by relative RMSE: ${values.length} differ from their source`);
}

function answers(bars) {
  return (colour) => described(Plot.plot({
    width: Math.max(340, 60 + 70 * bars.length), height: 260, marginLeft: 66, marginBottom: 46, grid: true,
    x: { label: null, domain: bars.map((bar) => bar.label) }, y: { label: "divergence, nats", zero: true },
    marks: [
      Plot.barY(bars, { x: "label", y: "value", fill: (bar) => colour(bar.holds ? "kept" : "falsified"), channels: { tolerance: "tolerance" }, tip: { fill: colour("sheet"), stroke: colour("line") } }),
      Plot.ruleY([0], { stroke: colour("line") }),
    ],
    style: { color: colour("ink"), fontSize: "11px", background: "transparent" },
  }), bars.map((bar) => `${bar.label}: ${figure(bar.value)} nats`).join("; "));
}

function frontier(files) {
  const best = files.filter((one) => !files.some((other) => other.bytes <= one.bytes && other.mean < one.mean && other !== one));
  best.sort((a, b) => a.bytes - b.bytes);
  const [least, most] = d3.extent(files, (one) => one.mean);
  const type = least > 0 && most / least > 30 ? "log" : "linear";
  return (colour) => described(Plot.plot({
    width: 760, height: 360, marginLeft: 70, marginRight: 150, marginBottom: 40, grid: true,
    x: { label: "size", tickFormat: bytes, ticks: 5 }, y: { type, label: "mean relative RMSE over tensors", zero: type === "linear" },
    marks: [
      Plot.line(best, { x: "bytes", y: "mean", stroke: colour("soft"), strokeDasharray: "4 3", curve: "step-after" }),
      Plot.dot(files, { x: "bytes", y: "mean", r: 5, fill: (one) => colour(one.shade), stroke: colour("sheet") }),
      Plot.text(files, { x: "bytes", y: "mean", text: "name", dx: 9, textAnchor: "start", fill: colour("ink") }),
    ],
    style: { color: colour("ink"), fontSize: "12px", background: "transparent", overflow: "visible" },
  }), files.map((one) => `${one.name}: ${bytes(one.bytes)}, mean relative RMSE ${figure(one.mean)}, ${one.word}`).join("; "));
}
