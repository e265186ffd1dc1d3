// All runs, newest first, as they stand; those that are chosen can be compared.

import { get, repeat, runPage } from "./api.js";
import { el, refill, section, table } from "./dom.js";
import { interval, label, moment, score, seconds } from "./words.js";

const COLUMNS = [
  ["compare", ""],
  ["run", ""],
  ["score", "n"],
  ["state", ""],
  ["winner", ""],
  ["task", ""],
  ["data", ""],
  ["started", ""],
  ["time", "n"],
];

export async function showRuns(main, signal) {
  const chosen = new Set();
  const rows = new Map();
  const body = el("tbody");
  const button = el("button", { id: "compare-button", type: "button", disabled: true }, "Compare chosen runs");
  const hint = el("span", { class: "soft small", id: "compare-hint" }, "Choose two or more.");
  button.onclick = () => {
    location.hash = `#/compare/${[...chosen].map(encodeURIComponent).join("/")}`;
  };
  const choose = (name, isChosen) => {
    if (isChosen) chosen.add(name);
    else chosen.delete(name);
    button.disabled = chosen.size < 2;
    hint.textContent = chosen.size ? `${chosen.size} chosen.` : "Choose two or more.";
  };
  const framed = table("runs-table", "Runs", COLUMNS, []);
  framed.querySelector("tbody").replaceWith(body);
  const none = el("p", { id: "no-runs", class: "missing", hidden: true }, "No runs here yet. Start one: autotl fit DATA --out runs/NAME");
  main.append(section("runs", "All runs", framed, none, el("div", { class: "actions" }, button, hint)));
  await repeat(
    async () => {
      const found = await get("/api/runs");
      if (signal.aborted) return;
      document.getElementById("subtitle").textContent = found.root;
      none.hidden = found.runs.length > 0;
      framed.hidden = !found.runs.length;
      update(body, rows, found.runs, choose, chosen);
    },
    2000,
    signal,
  );
}

/** Puts the runs in their order, and changes only what is not as it was. */
function update(body, rows, runs, choose, chosen) {
  const names = new Set(runs.map((run) => run.name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.remove();
    rows.delete(name);
    if (chosen.has(name)) choose(name, false);
  }
  runs.forEach((run, place) => {
    if (!rows.has(run.name)) rows.set(run.name, begin(run, choose));
    const row = rows.get(run.name);
    cells(run).forEach((content, i) => refill(row.cells[i + 2], content));
    if (body.children[place] !== row) body.insertBefore(row, body.children[place] || null);
  });
}

function begin(run, choose) {
  const box = el("input", { type: "checkbox", "aria-label": `compare ${run.name}` });
  box.onchange = () => choose(run.name, box.checked);
  const row = el("tr", {}, el("td", {}, box), el("td", { class: "name" }, el("a", { href: runPage(run.name) }, run.name)));
  row.dataset.run = run.name;
  COLUMNS.slice(2).forEach(([, kind]) => row.append(el("td", { class: kind })));
  return row;
}

function cells(run) {
  const within = interval(run.low, run.high);
  return [
    [
      el("b", {}, score(run.score)),
      el("br"),
      el("small", {}, run.score === null ? "" : `${within || "so far"}, ${label(run.metric)}`),
    ],
    [el("span", { class: `state ${run.state}` }, run.state)],
    [run.winner || "—"],
    [run.task || "—"],
    [run.data || "—"],
    [moment(run.started)],
    [seconds(run.seconds)],
  ];
}
