# SPDX-License-Identifier: Apache-2.0
"""The report's one script: a click on a column's head sorts the table by it."""

SCRIPT = """
for (const head of document.querySelectorAll("table.sortable thead th")) {
  head.tabIndex = 0;
  const sort = () => {
    const body = head.closest("table").tBodies[0];
    const at = [...head.parentNode.children].indexOf(head);
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = row => row.children[at].dataset.value ?? row.children[at].textContent;
    const rows = [...body.rows].filter(row => !row.classList.contains("sum"));
    const sums = [...body.rows].filter(row => row.classList.contains("sum"));
    rows.sort((a, b) => {
      const x = value(a), y = value(b), both = x !== "" && y !== "" && !isNaN(x) && !isNaN(y);
      return (up ? 1 : -1) * (both ? x - y : x.localeCompare(y));
    });
    body.append(...rows, ...sums);
  };
  head.addEventListener("click", sort);
  head.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
}
"""
