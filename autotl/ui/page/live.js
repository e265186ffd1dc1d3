// Where a run stands: stages, time, the best score over time, trials under way and the best ones, notes.

import { el, linePath, refill, svg } from "./dom.js";
import { hourIn, label, score, seconds } from "./words.js";

/** Shows a snapshot; returns nothing. */
export function showLive(place, live) {
  refill(
    place,
    head(live),
    stages(live),
    new Set(live.history.scores).size > 1 ? chart(live) : null,
    live.lines.length ? trials(live) : null,
    live.notes.length
      ? el("ul", { id: "live-notes", class: "plain small" }, live.notes.map((note) => el("li", { class: note.warning ? "warning" : "" }, note.message)))
      : null,
  );
}

function head(live) {
  const { done, failed, paused, budget } = live.trials;
  const counted = [budget === null ? `${done} done` : `${done} of ${budget} done`, failed && `${failed} failed`, paused && `${paused} paused`];
  const time = [`${seconds(live.elapsed)} passed`];
  if (live.left !== null) time.push(`${seconds(live.left)} left`, `ends at about ${hourIn(live.left)}`);
  const best = live.best;
  const pairs = [
    ["state", el("span", { class: `state ${live.state}`, id: "live-state" }, live.state)],
    ["stage", [live.stage, live.detail, advanced(live)].filter(Boolean).join("  ")],
    ["trials", counted.filter(Boolean).join(", ")],
    ["best so far", best ? `${score(best.score)} ${label(live.metric)}${best.trial === null ? "" : `, trial ${best.trial}: ${best.backbone} ${best.strategy}`}` : "none yet"],
    ["time", time.join(", ")],
  ];
  if (live.error) pairs.push(["error", live.error]);
  return el("dl", { id: "live-facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function advanced(live) {
  const a = live.advanced;
  return a ? `${a.done.toLocaleString("en")} of ${a.total.toLocaleString("en")} ${a.unit}` : "";
}

function stages(live) {
  const last = live.state === "live" ? live.stages.length - 1 : -1;
  const items = live.stages.map((stage, i) => el("li", { "aria-current": i === last ? "step" : null }, `${stage.name} ${seconds(stage.seconds)}`));
  return el("ol", { class: "stages small", "aria-label": "stages", id: "live-stages" }, items);
}

function chart(live) {
  const values = live.history.scores;
  const [width, height] = [640, 160];
  const words = `Best ${label(live.metric)} over time: from ${score(values[0])} to ${score(values.at(-1))}`;
  return el(
    "figure",
    { id: "live-chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": words },
      svg("line", { x1: 2, x2: width - 2, y1: height - 2, y2: height - 2 }),
      svg("path", { d: linePath(values, width, height, 4) }),
    ),
    el("figcaption", {}, `${words}, ${seconds(live.history.from)} to ${seconds(live.history.to)} after the start.`),
  );
}

function trials(live) {
  const columns = [["#", "n"], ["trial", "n"], ["backbone", ""], ["strategy", ""], ["epoch", "n"], ["score", "n"], ["time", "n"], ["curve", ""]];
  const rows = live.lines.map((line) =>
    el(
      "tr",
      { class: line.rank === null ? "winner" : "" },
      el("td", { class: "n" }, line.rank === null ? "running" : String(line.rank)),
      el("td", { class: "n" }, String(line.number)),
      el("td", { class: "name" }, line.backbone),
      el("td", { class: "fixed" }, line.strategy),
      el("td", { class: "n" }, `${line.epoch} of ${line.epochs}`),
      el("td", { class: "n" }, score(line.score)),
      el("td", { class: "n" }, seconds(line.seconds)),
      el("td", {}, line.curve.length > 1 ? spark(line.curve) : ""),
    ),
  );
  const heads = columns.map(([title, kind]) => el("th", { scope: "col", class: kind }, title));
  return el(
    "div",
    { class: "scroll", role: "region", "aria-label": "Trials under way and the best ones", tabindex: "0" },
    el("table", { id: "live-trials" }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)),
  );
}

function spark(values) {
  const box = { viewBox: "0 0 96 20", class: "spark", preserveAspectRatio: "none", "aria-hidden": "true" };
  return svg("svg", box, svg("path", { d: linePath(values, 96, 20) }));
}
