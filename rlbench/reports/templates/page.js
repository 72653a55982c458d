"use strict";

/** Make a button that is on or off; `act(on)` follows each click. */
function toggle(on, act, ...content) {
  const button = document.createElement("button");
  button.type = "button";
  button.ariaPressed = String(on);
  button.append(...content);
  button.addEventListener("click", () => {
    button.ariaPressed = String(button.ariaPressed !== "true");
    act(button.ariaPressed === "true");
  });
  return button;
}

/** Order the rows of each group by one column: numbers as numbers, what is missing last. */
function sortRows(table, column, descending) {
  const key = (row) => {
    const cell = row.cells[column];
    const shown = cell?.textContent.trim() ?? "";
    const text = cell?.dataset.value ?? shown;
    return { text, missing: shown === "" || shown === "–", value: Number(text) };
  };
  const compare = (one, other) => {
    if (one.missing || other.missing) return one.missing - other.missing;
    const order =
      one.value === one.value && other.value === other.value
        ? one.value - other.value
        : one.text.localeCompare(other.text, "en", { numeric: true });
    return descending ? -order : order;
  };
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    const keyed = rows.map((row) => ({ row, ...key(row) })).sort(compare);
    body.append(...keyed.map((one) => one.row));
  }
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.classList.contains("unsortable")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const descending = head.ariaSort === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.ariaSort = descending ? "descending" : "ascending";
      sortRows(table, column, descending);
    });
  });
}

/** Let the legend of a figure show and hide what is drawn of each algorithm, and the seeds of all. */
for (const figure of document.querySelectorAll("figure")) {
  const legend = figure.querySelector(".legend");
  const off = new Set();
  const show = (name, on) => {
    if (on) off.delete(name);
    else off.add(name);
    for (const part of figure.querySelectorAll("[class*=series-]"))
      part.classList.toggle("off", [...part.classList].some((one) => off.has(one)));
  };
  for (const item of legend?.children ?? []) {
    const name = `series-${item.dataset.series}`;
    if (figure.querySelector(`.${name}`))
      item.append(toggle(true, (on) => show(name, on), ...item.childNodes));
  }
  if (legend && figure.querySelector(".seeds")) {
    const item = document.createElement("li");
    item.append(toggle(true, (on) => show("seeds", on), "all seeds"));
    legend.append(item);
  }
}

/** Show one view of each figure at a time: learning curves over steps, or over wall-clock. */
for (const figures of document.querySelectorAll(".figures")) {
  const names = [...new Set([...figures.querySelectorAll("[data-view]")].map((view) => view.dataset.view))];
  if (names.length < 2) continue;
  const bar = document.createElement("div");
  bar.className = "controls";
  bar.role = "group";
  bar.ariaLabel = "What the figures show";
  const select = (name) => {
    for (const button of bar.children) button.ariaPressed = String(button.textContent === name);
    for (const figure of figures.querySelectorAll("figure")) {
      const views = [...figure.querySelectorAll("[data-view]")];
      const has = views.some((view) => view.dataset.view === name);
      for (const view of views) view.hidden = view.dataset.view !== (has ? name : views[0].dataset.view);
    }
  };
  for (const name of names) bar.append(toggle(false, () => select(name), name));
  select(names[0]);
  figures.before(bar);
}

/** What scrolls sideways can be reached with the keyboard. */
function reachable() {
  for (const box of document.querySelectorAll(".scroll, pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
reachable();
addEventListener("resize", reachable);
document.addEventListener("toggle", reachable, true);

/** Paper has nothing to unfold. */
const unfolded = [];
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) {
    details.open = true;
    unfolded.push(details);
  }
});
addEventListener("afterprint", () => {
  for (const details of unfolded.splice(0)) details.open = false;
});
