"use strict";
// Tables sort by a click or Enter on a heading; without this script they stay in the order of the file.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  table.querySelectorAll("thead th").forEach((heading, column) => {
    const words = heading.textContent;
    if (!words) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    heading.replaceChildren(button);
    const number = heading.classList.contains("n");
    const value = (row) => {
      const cell = row.cells[column];
      const text = cell.dataset.value ?? cell.textContent.trim();
      if (!number) return text;
      const found = parseFloat(text.replaceAll(",", ""));
      return Number.isNaN(found) ? null : found;
    };
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const down = before === "ascending" || (before === null && number && column > 0);
      table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const rows = original.map((row) => [value(row), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (number ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      });
      body.replaceChildren(...rows.map(([, row]) => row));
    });
  });
}
// Tables are searched by words, all of which must stand in a row.
for (const table of document.querySelectorAll("table.filterable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  if (rows.length < 5) continue;
  const field = document.createElement("input");
  field.type = "search";
  const label = document.createElement("label");
  label.append(`filter ${table.dataset.rows} `, field);
  const found = document.createElement("output");
  const line = document.createElement("p");
  line.className = "filter";
  line.append(label, found);
  const scroll = table.parentElement;
  const before = scroll.previousElementSibling;
  (before?.classList.contains("expander") ? before : scroll).before(line);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const shown = words.every((word) => text.includes(word));
      row.classList.toggle("filtered", !shown);
      left += shown;
    }
    body.classList.toggle("searched", words.length > 0);
    found.textContent = words.length ? `${left} of ${rows.length}` : "";
  });
}
// What is folded on screen is unfolded on paper.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((one) => (one.open = true));
});
addEventListener("afterprint", () => folded.forEach((one) => (one.open = false)));
