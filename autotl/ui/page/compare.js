// Chosen runs side by side, and which is better on the test rows that they share.

import { get, runPage } from "./api.js";
import { el, section, table } from "./dom.js";
import { interval, label, moment, score, seconds } from "./words.js";

export async function showCompared(main, names, signal) {
  const asked = names.map((name) => `run=${encodeURIComponent(name)}`).join("&");
  const found = await get(`/api/compare?${asked}`);
  if (signal.aborted) return;
  main.append(
    section("pairs", "Which is better", found.pairs.length ? el("ul", { class: "plain", id: "compare-pairs" }, found.pairs.map(pair)) : el("p", { class: "missing" }, "Fewer than two of these runs have been scored on a test part.")),
    section("compared", "Side by side", sideBySide(found.runs)),
  );
}

function pair(found) {
  const rows = found.rows ? `on the same ${found.rows.toLocaleString("en")} test rows` : "not on the same test rows";
  return el("li", {}, found.words, " ", el("span", { class: "chip" }, rows));
}

function sideBySide(runs) {
  const settings = [...new Set(runs.flatMap((run) => Object.keys(run.settings)))].sort();
  const lines = [
    ["score", (run) => [el("b", {}, score(run.score)), el("br"), el("small", {}, [interval(run.low, run.high), label(run.metric)].filter(Boolean).join(", "))]],
    ["test rows", (run) => [run.rows === null ? "—" : run.rows.toLocaleString("en")]],
    ["winner", (run) => [`${run.backbone} ${run.strategy}`.trim() || "—"]],
    ["trials", (run) => [String(run.trials)]],
    ["time", (run) => [seconds(run.seconds)]],
    ["data", (run) => [run.data || "—"]],
    ["started", (run) => [moment(run.started)]],
    ...settings.map((name) => [name.replaceAll("_", " "), (run) => [run.settings[name] ?? "—"]]),
  ];
  const rows = lines.map(([name, content]) => el("tr", {}, el("th", { scope: "row" }, name), runs.map((run) => el("td", {}, content(run)))));
  const columns = [["run", ""], ...runs.map((run) => [el("a", { href: runPage(run.run) }, run.run), ""])];
  return table("compare-table", "Runs side by side", columns, rows, "compared");
}
