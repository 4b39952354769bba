"use strict";
// Elements of the page. Text enters by textContent alone: nothing that an artifact says becomes markup.
const evidence = JSON.parse(document.getElementById("evidence").textContent);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) made.append(child);
  return made;
}

const plain = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
function figure(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value === "Infinity" ? "∞" : value;
  if (Number.isInteger(value)) return plain.format(value);
  const size = Math.abs(value);
  return size && (size < 1e-4 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(digits)));
}
function plural(count, word) { return `${plain.format(count)} ${word}${count === 1 ? "" : "s"}`; }
function bytes(size) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let at = 0, value = size;
  while (value >= 999.5 && at + 1 < units.length) { value /= 1000; at += 1; }
  return `${Number(value.toPrecision(3))} ${units[at]}`;
}
const shade = (word) => `is-${word.replace(" ", "-")}`;
const anchor = (gate) => `gate-${gate.replace(/[^A-Za-z0-9-]/g, "_")}`;
function section(id, title, lead, ...children) {
  const head = [element("h2", { id: `${id}-title` }, title), lead ? element("p", { class: "lead" }, lead) : null];
  return element("section", { id, "aria-labelledby": `${id}-title` }, head, children);
}

// One table of tensors as rows: every column by its name, and how much of its budget the error takes.
function rowsOf(table) {
  const names = Object.keys(table.columns);
  return table.columns.tensor.map((_, at) => {
    const row = Object.fromEntries(names.map((name) => [name, table.columns[name][at]]));
    const error = row.relative_rmse === "Infinity" ? Infinity : row.relative_rmse;
    row.error = error;
    row.share = error === null ? null : row.budget ? error / row.budget : error ? Infinity : 0;
    row.turn = row.row_cosine === null ? null : Math.max(0, 1 - row.row_cosine);
    row.turnShare = row.turn !== null && row.cosine_budget ? row.turn / row.cosine_budget : null;
    return row;
  });
}
