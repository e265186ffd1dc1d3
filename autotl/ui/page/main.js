// Shows the view that the address names: #/ the runs, #/runs/NAME one, #/compare/A/B several side by side.

import { trouble } from "./api.js";
import { announce } from "./dom.js";
import { showCompared } from "./compare.js";
import { showRun } from "./run.js";
import { showRuns } from "./runs.js";

let current = new AbortController();

async function show(isFirst = false) {
  if (location.hash && !location.hash.startsWith("#/")) return; // a place on the page
  current.abort();
  current = new AbortController();
  const [view, ...names] = location.hash.slice(2).split("/").map(decoded);
  const main = document.getElementById("main");
  const title = document.getElementById("title");
  main.replaceChildren();
  trouble("");
  document.getElementById("subtitle").textContent = "";
  const heading = view === "runs" && names.length ? names[0] : view === "compare" ? "Runs compared" : "Runs";
  title.textContent = heading;
  document.title = `${heading}: autotl`;
  try {
    if (view === "runs" && names.length) await showRun(main, names[0], current.signal);
    else if (view === "compare" && names.length > 1) await showCompared(main, names, current.signal);
    else await showRuns(main, current.signal);
  } catch (error) {
    trouble(error.message);
  }
  if (!isFirst) title.focus();
  announce(heading);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

addEventListener("hashchange", () => show());
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
show(true);
