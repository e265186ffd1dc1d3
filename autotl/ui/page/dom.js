// Builds elements. Text is only ever set as text: nothing that comes from a run becomes markup.

/** An element: el("p", {id: "x", class: "soft", onclick: f}, "text", child, ...). Unset children are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  set(node, attributes);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** The same in SVG. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
}

/** A section with a heading that names it. */
export function section(id, title, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-heading` }, el("h2", { id: `${id}-heading` }, title), children);
}

/** A table that scrolls sideways where it is wider than the page. Columns: [heading, class]. */
export function table(id, label, columns, rows, kind = "") {
  const heads = columns.map(([title, type]) => el("th", { scope: "col", class: type }, title));
  return el(
    "div",
    { class: "scroll", role: "region", "aria-label": label, tabindex: "0" },
    el("table", { id, class: kind }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)),
  );
}

/** Replaces what an element holds only where that would look different, so that nothing loses its focus. */
export function refill(node, ...children) {
  const fresh = el("div", {}, children);
  if (fresh.innerHTML !== node.innerHTML) node.replaceChildren(...fresh.childNodes);
}

/** Says something to those who listen to the page. */
export function announce(words) {
  document.getElementById("status").textContent = words;
}

/** A line through values, from left to right, in a box of width and height; lowest at the bottom. */
export function linePath(values, width, height, margin = 2) {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const x = (i) => margin + ((width - 2 * margin) * i) / Math.max(values.length - 1, 1);
  const y = (value) => height - margin - ((height - 2 * margin) * (value - low)) / span;
  return values.map((value, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("");
}
