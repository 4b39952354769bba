"use strict";
const main = document.querySelector("main");
const outcomes = evidence.outcomes;

function head() {
  const { decision, run, artifacts, causes } = evidence;
  const counts = d3.rollups(outcomes, (all) => all.length, (one) => one.word).map(([word, many]) => `${plain.format(many)} ${word}`);
  const compared = d3.sum(outcomes, (one) => one.compared);
  const word = { 0: "kept", 1: "falsified", 3: "not proven" }[decision.exit_code] || "error";
  document.getElementById("top").append(...[
    element("div", { class: `verdict ${shade(word)}` }, element("h1", {}, decision.word.toUpperCase()),
      element("p", {}, `${plural(outcomes.length, "gate")}: ${counts.join(", ")} · ${plain.format(compared)} compared · exit ${decision.exit_code}`)),
    artifacts.slice(0, 8).map((one) => element("p", { class: "subject" }, element("b", {}, one.name), " ",
      element("span", {}, [one.format, plural(one.files, "file"), `${plain.format(one.bytes)} bytes`, one.bits && `${figure(one.bits, 3)} bits a weight`, one.digest && one.digest.slice(0, 23)].filter(Boolean).join(" · ")))),
    artifacts.length > 8 ? element("p", { class: "subject" }, `and ${plural(artifacts.length - 8, "artifact")} more`) : "",
    causes.length ? element("ul", { class: "causes", "aria-label": "Likely causes" }, causes.map((cause) => element("li", {}, cause.statement, " ",
      cause.gates.slice(0, 6).flatMap((gate) => [" ", element("a", { href: `#${anchor(gate)}` }, gate)])))) : "",
  ].flat(Infinity));
  document.querySelector("footer").textContent = `${run.tool} · ${run.started} · ${figure(run.seconds, 3)} s`;
}

function line(comparison) {
  const parts = [element("b", { class: comparison.holds ? "" : "bad" }, comparison.place || comparison.measure), ` ${comparison.place ? `${comparison.measure}: ` : ""}${comparison.said}`];
  if (comparison.tolerance !== null) parts.push(`, tolerance ${comparison.tolerance}`);
  if (comparison.passes !== null && !comparison.holds) parts.push(`, would pass at ${comparison.passes}`);
  if (comparison.from) parts.push(element("span", { class: "from" }, ` [${comparison.from}]`));
  if (comparison.note) parts.push(element("div", { class: "note" }, `→ ${comparison.note}`));
  return element("li", {}, parts);
}

// Comparisons that are seen before a reader asks for more.
const FIRST = 8;

function details(all) {
  return all.flatMap((one) => {
    const broken = one.comparisons.filter((comparison) => !comparison.holds), held = one.comparisons.filter((comparison) => comparison.holds);
    return [
      element("h3", {}, all.length > 1 ? `${one.column}: ` : "", one.reason),
      element("p", { class: "from" }, `${one.invariant} · ${plain.format(one.compared)} of ${plain.format(one.owed)} compared · ${plain.format(one.violated)} violated · ${figure(one.seconds, 3)} s`),
      broken.length ? element("ul", {}, broken.slice(0, FIRST).map(line)) : null,
      broken.length > FIRST ? element("details", {}, element("summary", {}, plural(broken.length - FIRST, "comparison") + " more"), element("ul", {}, broken.slice(FIRST).map(line))) : null,
      one.violated > broken.length ? element("p", {}, `and ${plain.format(one.violated - broken.length)} more that do not hold`) : null,
      one.uncompared.length ? element("ul", {}, one.uncompared.map((gap) => element("li", {}, element("b", {}, `not compared: ${gap.place}`), ` ${plural(gap.count, "value")}: ${gap.reason}`))) : null,
      one.counterexample ? element("p", {}, `Smallest input that shows it: ${one.counterexample}`) : null,
      held.length ? element("p", { class: "from" }, broken.length ? "Nearest of those that hold:" : "Nearest to their bounds:") : null,
      held.length ? element("ul", {}, held.slice(0, 5).map(line)) : null,
    ];
  });
}

function gates() {
  const columns = [...new Set(outcomes.map((one) => one.column))];
  const grouped = d3.groups(outcomes, (one) => one.gate);
  const body = element("tbody");
  const lines = grouped.map(([gate, all]) => {
    const id = anchor(gate);
    const button = element("button", { type: "button", "aria-expanded": "false", "aria-controls": `${id}-more` }, gate);
    const cells = columns.map((column) => element("td", {}, all.filter((one) => one.column === column).map((one) =>
      element("span", { class: `cell ${shade(one.word)}`, title: one.reason }, `${one.mark} ${one.word}`))));
    const row = element("tr", { id }, element("th", { scope: "row", class: "gate" }, button), element("td", { class: "title" }, all[0].title), cells,
      element("td", { class: "number" }, plain.format(d3.sum(all, (one) => one.compared))));
    const more = element("tr", { id: `${id}-more`, class: "more", hidden: true }, element("td", { colspan: columns.length + 3 }));
    const open = (yes) => {
      if (yes && !more.firstChild.firstChild) more.firstChild.append(...details(all).filter(Boolean));
      more.hidden = !yes;
      button.setAttribute("aria-expanded", String(yes));
    };
    button.addEventListener("click", () => open(more.hidden));
    body.append(row, more);
    return { words: new Set(all.map((one) => one.word)), row, more, open, bad: all.some((one) => one.word === "falsified" || one.word === "error") };
  });
  lines.filter((one) => one.bad).slice(0, 3).forEach((one) => one.open(true));
  addEventListener("beforeprint", () => lines.forEach((one) => one.words.has("kept") || one.open(true)));
  addEventListener("hashchange", () => { const found = lines.find((one) => `#${one.row.id}` === location.hash); if (found) found.open(true); });
  const words = [...new Set(outcomes.map((one) => one.word))];
  const chosen = element("div", { class: "tools", role: "group", "aria-label": "Show gates that are" }, ["all", ...words].map((word) =>
    element("button", { type: "button", "aria-pressed": String(word === "all"), onclick: (event) => {
      chosen.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", String(other === event.currentTarget)));
      lines.forEach((one) => { const shown = word === "all" || one.words.has(word); one.row.hidden = !shown; if (!shown) one.open(false); });
    } }, word)));
  const heads = columns.length > 1 ? columns : ["outcome"];
  return section("gates", "Gates", "What each gate held the artifact to. A gate opens to its comparisons, with where every bound came from.", chosen,
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of gates" }, element("table", {}, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "gate"),
      element("th", { scope: "col", class: "title" }, "what holds when it is kept"), heads.map((name) => element("th", { scope: "col" }, name)), element("th", { scope: "col", class: "number" }, "compared"))), body)));
}

function layers(table, rows) {
  const paired = rows.some((row) => row.error !== null), budgets = rows.some((row) => row.budget);
  const keys = paired ? [...(budgets ? ["share"] : []), "error", "turn", "std"] : ["std"];
  const usable = keys.filter((key) => rows.some((row) => row.layer !== null && MEASURES[key].of(row) > 0));
  if (!usable.length) return null;
  const holder = element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Layers of ${table.artifact}` });
  let draw = layerMap(rows, usable[0]);
  drawn(holder, (colour) => draw(colour));
  const tools = element("div", { class: "tools", role: "group", "aria-label": "Measure" }, usable.map((key, at) => element("button", { type: "button", "aria-pressed": String(at === 0), onclick: (event) => {
    tools.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", String(other === event.currentTarget)));
    draw = layerMap(rows, key);
    holder.replaceChildren(draw(colours()));
  } }, MEASURES[key].label)));
  return [evidence.tables.length > 1 ? element("h3", {}, table.artifact) : null, usable.length > 1 ? tools : null, holder];
}

function worst(table, rows) {
  const byName = new Map(rows.map((row) => [row.tensor, row]));
  const cards = table.scatters.map((one) => {
    const row = byName.get(one.tensor), over = row && row.share > 1;
    return element("figure", { class: "card" }, element("h3", {}, one.tensor), drawn(element("div"), scatter(one, row)),
      element("figcaption", { class: over ? "over" : "" }, row ? `${row.type} from ${row.source_type}: ${MEASURES.share.said(row)}, smallest row cosine ${figure(row.row_cosine, 6)}` : ""));
  });
  if (!cards.length) return null;
  cards.unshift(element("figure", { class: "card" }, element("h3", {}, "All tensors"), drawn(element("div"), errors(rows)), element("figcaption", {}, "How many tensors have which error.")));
  return [evidence.tables.length > 1 ? element("h3", {}, table.artifact) : null, element("div", { class: "charts" }, cards)];
}

function divergences() {
  const cards = outcomes.map((one) => {
    const bars = one.comparisons.filter((comparison) => comparison.measure.includes("divergence") && comparison.value !== null)
      .map((comparison) => ({ label: comparison.place.replace(/^positions /, "") || "all", value: comparison.value, holds: comparison.holds, tolerance: comparison.tolerance }));
    bars.sort((a, b) => parseInt(a.label, 10) - parseInt(b.label, 10));
    return bars.length ? element("figure", { class: "card" }, element("h3", {}, `${one.gate} ${one.column}`), drawn(element("div"), answers(bars)), element("figcaption", {}, one.reason)) : null;
  }).filter(Boolean);
  return cards.length ? section("answers", "Answers", "Divergence of the target's next-token distributions from the source's, by position.", element("div", { class: "charts" }, cards)) : null;
}

function sideBySide(tables) {
  const files = tables.map(({ table, rows }) => {
    const artifact = evidence.artifacts.find((one) => one.path === table.path), known = rows.filter((row) => Number.isFinite(row.error));
    if (!artifact || !known.length) return null;
    const own = outcomes.filter((one) => one.path === table.path), word = ["error", "falsified", "not proven"].find((bad) => own.some((one) => one.word === bad)) || "kept";
    const high = d3.greatest(known, (row) => row.share);
    return { name: artifact.name, bytes: artifact.bytes, bits: artifact.bits, mean: d3.mean(known, (row) => row.error), word, high,
      shade: word === "kept" ? "kept" : word === "not proven" ? "unproven" : "falsified" };
  }).filter(Boolean);
  if (files.length < 2) return null;
  files.sort((a, b) => b.bytes - a.bytes);
  const table = element("table", {}, element("thead", {}, element("tr", {}, ["file", "bytes", "bits a weight", "outcome", "mean relative RMSE", "worst tensor", "its relative RMSE", "of its budget"].map((name, at) =>
    element("th", { scope: "col", class: [1, 2, 4, 6, 7].includes(at) ? "number" : "" }, name)))), element("tbody", {}, files.map((one) => element("tr", {}, element("th", { scope: "row", class: "name" }, one.name),
    element("td", { class: "number" }, plain.format(one.bytes)), element("td", { class: "number" }, figure(one.bits, 3)), element("td", {}, element("span", { class: `cell ${shade(one.word)}` }, one.word)),
    element("td", { class: "number" }, figure(one.mean)), element("td", { class: "name" }, one.high.tensor), element("td", { class: "number" }, figure(one.high.error)),
    element("td", { class: `number${one.high.share > 1 ? " over" : ""}` }, Number.isFinite(one.high.share) ? `${figure(100 * one.high.share, 3)} %` : "∞")))));
  return section("files", "Files side by side", "Size against error. The dashed line joins those that no smaller file betters.", element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Size against error" }, drawn(element("div"), frontier(files))),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of files" }, table));
}

const COLUMNS = [
  ["tensor", "tensor"], ["type", "type"], ["shape", "shape"], ["values", "values", 1], ["mean", "mean", 1], ["std", "std", 1], ["minimum", "min", 1], ["maximum", "max", 1], ["nan", "NaN", 1], ["zeros", "zeros", 1],
];
const PAIRED = [["source_type", "from"], ["error", "relative RMSE", 1], ["share", "of budget", 1], ["row_cosine", "row cosine", 1], ["max_error", "max error", 1]];
const SHOWN = 200;

function tensors(table, rows, number) {
  if (!rows.length) return null;
  const columns = [...COLUMNS, ...(rows.some((row) => row.source !== null) ? PAIRED : [])];
  const gatesOf = d3.group(outcomes.filter((one) => one.path === table.path).flatMap((one) => one.comparisons.filter((comparison) => comparison.tensor && !comparison.holds).map((comparison) => ({ gate: one.gate, tensor: comparison.tensor }))), (one) => one.tensor);
  let sorted = { key: columns.length > COLUMNS.length ? "share" : "tensor", down: columns.length > COLUMNS.length }, text = "", only = "all", limit = SHOWN;
  const body = element("tbody"), said = element("span", { role: "status" });
  const more = element("button", { type: "button", hidden: true, onclick: () => { limit = Infinity; fill(); } });
  const value = (row, key) => (row[key] === "Infinity" ? Infinity : row[key]);
  function cell(row, [key, , right]) {
    if (key === "tensor") {
      const links = [...new Set((gatesOf.get(row.tensor) || []).map((one) => one.gate))].slice(0, 4).map((gate) => [" ", element("a", { href: `#${anchor(gate)}` }, gate)]);
      return element("th", { scope: "row", class: "name mono", title: row.tensor }, row.tensor, links.length ? element("div", { class: "links" }, links) : null);
    }
    if (key === "share") return element("td", { class: `number${row.share > 1 ? " over" : ""}` }, row.share === null ? "–" : Number.isFinite(row.share) ? `${figure(100 * row.share, 3)} %` : "∞");
    return element("td", { class: right ? "number" : "mono" }, figure(row[key], key === "row_cosine" ? 6 : 4));
  }
  function fill() {
    const wanted = text.toLowerCase();
    const found = rows.filter((row) => (!wanted || `${row.tensor} ${row.type} ${row.source_type || ""} ${row.source || ""}`.toLowerCase().includes(wanted))
      && (only === "all" || (only === "over" && row.share > 1) || (only === "uncompared" && row.error === null) || (only === "nonfinite" && (row.nan || row.infinite))));
    const order = sorted.down ? d3.descending : d3.ascending;
    found.sort((a, b) => { const x = value(a, sorted.key), y = value(b, sorted.key); return x === null ? (y === null ? 0 : 1) : y === null ? -1 : order(x, y); });
    body.replaceChildren(...found.slice(0, limit).map((row) => element("tr", {}, columns.map((column) => cell(row, column)))));
    said.textContent = `${plural(found.length, "tensor")}${found.length < rows.length ? ` of ${plain.format(rows.length)}` : ""}${table.leftOff ? `; ${plain.format(table.leftOff)} more are in tensors.json or were left off there` : ""}`;
    more.hidden = found.length <= limit;
    more.textContent = `Show all ${plain.format(found.length)}`;
    heads.forEach((one, at) => one.setAttribute("aria-sort", columns[at][0] !== sorted.key ? "none" : sorted.down ? "descending" : "ascending"));
  }
  const heads = columns.map(([key, name, right]) => element("th", { scope: "col", class: right ? "number" : "" }, element("button", { type: "button", onclick: () => {
    sorted = { key, down: sorted.key === key ? !sorted.down : Boolean(right) };
    fill();
  } }, name)));
  const search = element("input", { type: "search", id: `search-${number}`, placeholder: "layer, role, type …", oninput: (event) => { text = event.target.value; limit = SHOWN; fill(); } });
  const kinds = element("select", { id: `kind-${number}`, onchange: (event) => { only = event.target.value; limit = SHOWN; fill(); } }, [["all", "all tensors"], ["over", "above their budget"], ["uncompared", "without a measured error"], ["nonfinite", "with NaN or infinity"]].map(([key, name]) => element("option", { value: key }, name)));
  fill();
  return [evidence.tables.length > 1 ? element("h3", {}, table.artifact) : null,
    element("div", { class: "tools" }, element("label", { for: `search-${number}` }, "Filter"), search, element("label", { for: `kind-${number}` }, "Show"), kinds, said),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Tensors of ${table.artifact}` }, element("table", {}, element("thead", {}, element("tr", {}, heads)), body)), element("p", {}, more)];
}

function rest() {
  const { run, artifacts, leftOut } = evidence;
  const notes = artifacts.flatMap((one) => one.notes.map((note) => (artifacts.length > 1 ? `${one.name}: ${note}` : note)));
  const facts = [["command", run.command], ["playbook", run.playbook], ["definitions", run.definitions], ["ran on", run.host], ["libraries", run.libraries.join(", ")], ["decided by", evidence.decision.exit_code ? evidence.decision.decided_by.join(", ") : ""]].filter(([, said]) => said);
  return [
    leftOut.length ? section("left-out", "Not evaluated", "None of these counts as holding.", element("ul", {}, leftOut.map((one) => element("li", {}, element("b", {}, one.reason), `: ${one.gates.join(", ")}`)))) : null,
    section("run", "The run", null, element("dl", {}, facts.flatMap(([name, said]) => [element("dt", {}, name), element("dd", { class: "mono" }, said)])), notes.length ? element("ul", {}, [...new Set(notes)].map((note) => element("li", {}, note))) : null),
  ];
}

const tables = evidence.tables.map((table) => ({ table, rows: rowsOf(table) }));
const gathered = (id, title, lead, make) => {
  const parts = tables.map(({ table, rows }, at) => make(table, rows, at)).filter(Boolean);
  return parts.length ? section(id, title, lead, parts.flat()) : null;
};
head();
const sections = [
  gates(), sideBySide(tables),
  gathered("layers", "Layers", `From left to right the layers, from top to bottom the roles; ${tables.some(({ rows }) => rows.some((row) => row.error !== null)) ? "each cell is the worst tensor there. A red border is beyond its budget" : "each cell is the tensor that varies most there. No source was given to hold it to"}.`, layers),
  gathered("worst", "Values of the worst tensors", "Values against those of the source, of the tensors whose error takes most of its budget; on the dashed line they are equal.", worst),
  divergences(),
  gathered("tensors", "Tensors", null, tensors),
  ...rest(),
].filter(Boolean);
main.append(...sections);
document.querySelector("nav").append(element("ul", {}, sections.map((one) => element("li", {}, element("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)))));
if (location.hash) dispatchEvent(new HashChangeEvent("hashchange"));
