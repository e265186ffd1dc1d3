// One run: progress, verdict, leaderboard, a box to try its model in, files to take along.

import { get, repeat, runPath } from "./api.js";
import { announce, el, refill, section, table } from "./dom.js";
import { showLive } from "./live.js";
import { tryBox } from "./trying.js";
import { gain, interval, label, milliseconds, moment, scaled, score, seconds } from "./words.js";

export async function showRun(main, name, signal) {
  const places = Object.fromEntries(["verdict", "progress", "leaderboard", "files"].map((id) => [id, el("div")]));
  const live = el("div", { id: "live" });
  const trying = el("div");
  main.append(places.verdict, places.progress, trying, places.leaderboard, places.files);
  let state = null;
  let tried = null;
  const details = async () => {
    const run = await get(runPath(name));
    if (signal.aborted) return;
    document.getElementById("subtitle").textContent = [run.data, moment(run.started), run.folder].filter(Boolean).join(" · ");
    refill(places.verdict, verdict(run));
    refill(places.leaderboard, leaderboard(run));
    refill(places.files, files(name, run));
    const model = JSON.stringify(run.model);
    if (model !== tried) {
      tried = model;
      trying.replaceChildren(...(run.model ? [tryBox(name, run.model)] : []));
    }
  };
  await details();
  if (signal.aborted) return;
  places.progress.append(section("progress", "Progress", live));
  let finished = -1;
  await repeat(
    async () => {
      const found = await get(`${runPath(name)}/live`);
      if (signal.aborted) return false;
      showLive(live, found);
      if (state !== null && (found.state !== state || found.trials.done !== finished)) {
        if (found.state !== state) announce(`The run is ${found.state}`);
        await details();
      }
      [state, finished] = [found.state, found.trials.done];
      return undefined;
    },
    1000,
    signal,
  );
}

function verdict(run) {
  if (run.state === "live") return null;
  const within = interval(run.low, run.high);
  const rows = run.test_rows === null ? "" : `${run.test_rows.toLocaleString("en")} `;
  return section(
    "verdict",
    "Verdict",
    run.score === null
      ? el("p", { class: "missing" }, "The test part has not been scored.")
      : el("p", { class: "headline" }, el("strong", { id: "score" }, score(run.score)), el("span", {}, `${label(run.metric)} on ${rows}test rows`)),
    within ? el("p", { class: "soft" }, `95 % interval ${within}${run.greater_is_better ? "" : "; lower is better"}`) : null,
    run.verdict.map((sentence) => el("p", {}, sentence)),
    run.winner ? el("p", {}, el("span", { class: "chip" }, "winner"), ` ${run.winner}`) : null,
    run.resume ? el("p", { id: "resume" }, "Go on with it: ", el("code", {}, run.resume)) : null,
    run.problems.map((problem) => el("p", { class: "warning" }, problem)),
  );
}

/** Settings of a trial, as the report shows them: folded where they are many. */
function folded(settings) {
  const said = settings.map(([key, value]) => `${key} ${value}`).join(", ");
  if (settings.length <= 3) return said;
  return el("details", {}, el("summary", {}, `${settings.length} settings`), said);
}

function leaderboard(run) {
  if (!run.rows.length) return null;
  const columns = [["#", "n"], ["score", "n"], ["gain", "n"], ["backbone", ""], ["strategy", ""], ["trial", "n"], ["state", ""], ["time", "n"], ["size", "n"], ["latency", "n"], ["licence", ""], ["settings", "settings"]];
  const rows = run.rows.map((row) =>
    el(
      "tr",
      { class: row.winner ? "winner" : "" },
      el("td", { class: "n" }, row.rank === null ? "—" : String(row.rank)),
      el("td", { class: "n" }, el("b", {}, score(row.score)), el("br"), el("small", {}, interval(row.low, row.high))),
      el("td", { class: "n" }, gain(row.gain), el("br"), el("small", {}, interval(row.gain_low, row.gain_high))),
      el("td", { class: "name" }, row.backbone || "—", " ", row.winner ? el("span", { class: "chip" }, "winner") : null),
      el("td", { class: "fixed" }, row.strategy || "—"),
      el("td", { class: "n" }, row.trial === null ? "—" : String(row.trial)),
      el("td", {}, el("span", { class: "state" }, row.state || "—")),
      el("td", { class: "n" }, seconds(row.seconds)),
      el("td", { class: "n" }, scaled(row.size_bytes, "B")),
      el("td", { class: "n" }, milliseconds(row.latency_ms)),
      el("td", { class: "fixed" }, row.licence || "—"),
      el("td", { class: "small settings" }, folded(Object.entries(row.settings))),
    ),
  );
  return section("leaderboard", "Leaderboard", table("leaderboard-table", "Table of trials", columns, rows));
}

function files(name, run) {
  const base = `/runs/${encodeURIComponent(name)}`;
  const links = [];
  if (run.files["report.html"]) links.push(el("a", { class: "button", id: "report-link", href: `${base}/report.html` }, "Report"));
  if (run.model) links.push(el("a", { class: "button", id: "model-link", href: `${base}/model.zip`, download: true }, "Model (zip)"));
  if (run.files["leaderboard.csv"]) links.push(el("a", { class: "button", id: "table-link", href: `${base}/leaderboard.csv`, download: true }, "Leaderboard (CSV)"));
  if (!links.length) return null;
  return section("files", "Files", el("div", { class: "actions" }, links));
}
