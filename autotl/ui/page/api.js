// Asks the server. Errors come out with the words that the server found for them.

export const runPath = (name) => `/api/runs/${encodeURIComponent(name)}`;
export const runPage = (name) => `#/runs/${encodeURIComponent(name)}`;

/** The JSON of an address. */
export async function get(path) {
  return ask(path, { headers: { Accept: "application/json" } });
}

/** Sends inputs: a list of texts or rows, or files; until `signal` says that nobody waits for the answer. */
export async function post(path, inputs, signal) {
  if (inputs[0] instanceof File) {
    const form = new FormData();
    for (const file of inputs) form.append("files", file);
    return ask(path, { method: "POST", body: form, signal });
  }
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify({ inputs }), signal });
}

async function ask(path, how) {
  const response = await fetch(path, how).catch(() => {
    throw new Error("The server does not answer: is autotl ui still running?");
  });
  const found = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
  if (response.ok) return found;
  const parts = [found.error, found.found && `found ${found.found}`, found.expected && `expected ${found.expected}`];
  throw new Error([`${parts.filter(Boolean).join("; ")}.`, found.hint].filter(Boolean).join(" "));
}

/** Does something now and every so often, while the page is seen and until `signal` says stop. */
export function repeat(action, every, signal) {
  let timer = 0;
  const turn = async () => {
    if (signal.aborted) return;
    if (!document.hidden) {
      try {
        if ((await action()) === false) return;
        trouble("");
      } catch (error) {
        if (!signal.aborted) trouble(error.message);
      }
    }
    if (!signal.aborted) timer = setTimeout(turn, every);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  return turn();
}

/** Shows what went wrong; nothing where all is well. */
export function trouble(words) {
  const place = document.getElementById("trouble");
  if (place.textContent !== words) place.textContent = words;
  place.hidden = !words;
}
