// A box to try a model in: drop images, or type texts; see what is predicted, and why.

import { post, runPath } from "./api.js";
import { announce, el, section } from "./dom.js";

/** The box for a model: what it takes is in `model`. */
export function tryBox(name, model) {
  const results = el("div", { id: "try-results", "aria-live": "polite" });
  let asking = new AbortController();
  const ask = (inputs, titles) => {
    asking.abort(); // what was asked last is answered, whichever answer comes first
    asking = new AbortController();
    return predict(name, inputs, titles, results, asking.signal);
  };
  const note = model.provisional ? el("p", { class: "soft small" }, "This is the first model of a run that goes on; a better one takes its place.") : null;
  return section("try", "Try it", note, model.endings.length ? fileForm(model, ask) : textForm(model, ask), results);
}

function fileForm(model, ask) {
  const input = el("input", { type: "file", id: "try-files", multiple: true, accept: model.endings.join(",") });
  const place = el("div", { class: "drop", id: "try-drop" }, el("label", { for: "try-files" }, "Drop files here, or choose them:"), input);
  const send = (files) => files.length && ask([...files].slice(0, 16), [...files].map((file) => file.name));
  input.onchange = () => {
    send(input.files);
    input.value = ""; // or else the same file could not be chosen again
  };
  place.ondragover = (event) => {
    event.preventDefault();
    place.classList.add("over");
  };
  place.ondragleave = () => place.classList.remove("over");
  place.ondrop = (event) => {
    event.preventDefault();
    place.classList.remove("over");
    send(event.dataTransfer.files);
  };
  return el("form", { id: "try-form", onsubmit: (event) => event.preventDefault() }, place);
}

function textForm(model, ask) {
  const columns = model.columns.length ? model.columns : ["text"];
  const fields = columns.map((column, i) => el("textarea", { id: `try-text-${i}`, rows: 3, required: true, name: column }));
  const labels = columns.map((column, i) => el("label", { for: `try-text-${i}` }, column, fields[i]));
  const submit = (event) => {
    event.preventDefault();
    const values = fields.map((field) => field.value);
    const row = columns.length > 1 ? Object.fromEntries(columns.map((column, i) => [column, values[i]])) : values[0];
    ask([row], [values[0].slice(0, 80)]);
  };
  return el("form", { id: "try-form", onsubmit: submit }, labels, el("div", { class: "actions" }, el("button", { type: "submit", id: "try-button" }, "Predict")));
}

async function predict(name, inputs, titles, results, signal) {
  results.replaceChildren(el("p", { class: "soft" }, "Predicting…"));
  let rows;
  try {
    rows = (await post(`${runPath(name)}/predict`, inputs, signal)).predictions;
  } catch (error) {
    if (signal.aborted) return;
    results.replaceChildren(el("p", { class: "warning", role: "alert" }, error.message));
    return;
  }
  results.replaceChildren(...rows.map((row, i) => answer(name, row, inputs[i], titles[i])));
  announce(rows.length === 1 ? `Predicted: ${said(rows[0])}` : `${rows.length} inputs predicted`);
}

function said(row) {
  if ("value" in row) return String(Number(row.value.toPrecision(6)));
  if ("labels" in row) return row.labels.join(", ") || "no label";
  return row.label;
}

function answer(name, row, input, title) {
  const article = el("article", { class: "prediction" }, el("h3", {}, title));
  if (input instanceof File && input.type.startsWith("image/")) article.append(preview(input));
  article.append(el("p", { class: "answer" }, said(row)));
  if (row.probabilities) article.append(probabilities(row.probabilities));
  const why = el("button", { type: "button", class: "why" }, "Why?");
  why.onclick = () => explain(name, input, why);
  article.append(el("div", { class: "actions" }, why));
  return article;
}

function preview(file) {
  const address = URL.createObjectURL(file);
  const image = el("img", { alt: "", src: address, width: 160 });
  image.onload = () => URL.revokeObjectURL(address);
  image.onerror = () => image.remove();
  return image;
}

function probabilities(found) {
  const rows = Object.entries(found).sort((a, b) => b[1] - a[1]).slice(0, 10);
  const shown = rows.map(([label, p]) => {
    const bar = el("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${(8 * p).toFixed(2)}rem`;
    return el("tr", {}, el("th", { scope: "row", class: "name" }, label), el("td", { class: "n" }, p.toFixed(4)), el("td", {}, bar));
  });
  const rest = Object.keys(found).length - rows.length;
  const caption = rest > 0 ? `probabilities; ${rest} more classes are less likely` : "probabilities";
  return el("table", { class: "narrow" }, el("caption", {}, caption), el("tbody", {}, shown));
}

async function explain(name, input, button) {
  button.disabled = true;
  button.textContent = "Looking for reasons…";
  const place = button.parentElement;
  try {
    const { page } = await post(`${runPath(name)}/explain`, [input]);
    if (!place.isConnected) return; // another input was given meanwhile
    place.replaceChildren(el("iframe", { class: "explanation", title: "Why this is predicted", src: page, sandbox: "" }));
    announce("The explanation is there");
  } catch (error) {
    place.append(el("p", { class: "warning", role: "alert" }, error.message));
    button.disabled = false;
    button.textContent = "Why?";
  }
}
