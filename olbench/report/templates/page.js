"use strict";
(() => {
  const root = document.documentElement;
  const kept = { get: () => { try { return localStorage.getItem("olbench-theme"); } catch { return null; } },
                 set: (v) => { try { localStorage.setItem("olbench-theme", v); } catch { /* a file:// page may have none */ } } };

  const button = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  const wear = (theme) => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  let theme = themes.includes(kept.get()) ? kept.get() : "auto";
  wear(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    wear(theme);
    kept.set(theme);
  });

  const key = (row, column) => {
    const raw = row.children[column].dataset.sort;
    return raw === "" ? null : Number(raw);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    heads.forEach((head, column) => {
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.append(...head.childNodes);
      head.append(sorter);
      sorter.addEventListener("click", () => {
        const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [key(row, column), key(row, 0), row]);
        // A row without a value stays last in both directions.
        rows.sort(([a, i], [b, j]) => (a === null) - (b === null) || (a !== null && sign * (a - b)) || i - j);
        body.append(...rows.map(([, , row]) => row));
      });
    });
  }

  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details")) one.open = true;
  });
})();
