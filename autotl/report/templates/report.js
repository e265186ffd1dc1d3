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
// What is folded on screen is unfolded on paper.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((one) => (one.open = true));
});
addEventListener("afterprint", () => folded.forEach((one) => (one.open = false)));
