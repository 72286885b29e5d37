"use strict";
// Draws the curves, sorts the tables, and tells the cells of the confusion matrix.
// Whoever changes the page while it is shown, as `mindzoo watch` does, says so by an event "curves" with those of now.
(() => {
  let charts = JSON.parse(document.getElementById("curves").textContent);
  const hidden = new Set();
  let drawn = [];

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const several = () => document.querySelector("[data-run]") !== null;

  function axis(more) {
    return { stroke: color("--dim"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line") }, ...more };
  }

  // One run: a colour for each curve. Several: a colour for each run, and dashes for its second curve.
  function line(chart, series, place) {
    const second = chart.series.slice(0, place).some((other) => other.run === series.run);
    const which = several() ? series.run : place;
    return {
      label: series.name,
      show: !hidden.has(series.run),
      stroke: color(`--c${which % 8}`),
      width: 2,
      dash: several() && second ? [6, 5] : undefined,
      spanGaps: true,
      points: { show: chart.columns[0].length < 40, size: 6 },
      value: (_, value) => (value === null || value === undefined ? "-" : `${+value.toPrecision(5)}${chart.unit}`),
    };
  }

  function draw(place) {
    const chart = charts[place.dataset.chart];
    const epochs = chart.columns[0];
    // A first loss of hundreds would press all others together.
    const values = chart.columns.slice(1).flat().filter((value) => value !== null);
    const isWide = Math.min(...values) > 0 && Math.max(...values) > 100 * Math.min(...values);
    const margin = Math.max(0.5, (epochs[epochs.length - 1] - epochs[0]) * 0.02);
    const options = {
      width: place.clientWidth,
      height: 240,
      scales: { x: { time: false, range: [epochs[0] - margin, epochs[epochs.length - 1] + margin] }, y: { distr: isWide ? 3 : 1 } },
      axes: [
        axis({ incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000] }),
        axis({ size: 62, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : `${+tick.toPrecision(4)}${chart.unit}`)) }),
      ],
      series: [{ label: "epoch", value: (_, value) => value ?? "-" }, ...chart.series.map((s, i) => line(chart, s, i))],
      cursor: { drag: { x: false, y: false } },
    };
    place.replaceChildren();
    return new uPlot(options, chart.columns, place);
  }

  function drawAll() {
    for (const one of drawn) one.destroy();
    drawn = [...document.querySelectorAll("[data-chart]")].map(draw);
  }

  function moveCursor(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const chart = drawn.find((one) => event.currentTarget.contains(one.root));
    if (!steps || !chart) return;
    event.preventDefault();
    const last = chart.data[0].length - 1;
    const at = chart.cursor.idx ?? (steps > 0 ? -1 : last + 1);
    const next = Math.min(Math.max(at + steps, 0), last);
    pointAt(chart, next);
  }

  function pointAt(chart, place) {
    chart.setCursor({ left: chart.valToPos(chart.data[0][place], "x"), top: 0 });
  }

  function valueOf(row, column, isNumber) {
    const text = row.cells[column].textContent;
    if (!isNumber) return text;
    const value = parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(value) ? -Infinity : value;
  }

  // Numbers begin with the largest, names with the first.
  function turned(head) {
    const before = head.getAttribute("aria-sort");
    if (before === "none") return head.classList.contains("n") ? "descending" : "ascending";
    return before === "ascending" ? "descending" : "ascending";
  }

  function sort(head, order) {
    const row = head.parentNode, column = head.cellIndex, isNumber = head.classList.contains("n");
    for (const other of row.cells) other.setAttribute("aria-sort", other === head ? order : "none");
    const body = head.closest("table").tBodies[0], sign = order === "ascending" ? 1 : -1;
    const compare = isNumber ? (a, b) => (a < b ? -1 : a > b ? 1 : 0) : new Intl.Collator(undefined, { numeric: true }).compare;
    const keyed = [...body.rows].map((one) => [valueOf(one, column, isNumber), one]);
    keyed.sort((a, b) => sign * compare(a[0], b[0]));
    body.append(...keyed.map((pair) => pair[1]));
  }

  function tell(event) {
    const at = event.target.dataset.at;
    if (!at) return;
    const matrix = event.currentTarget, names = JSON.parse(matrix.dataset.names);
    const [row, column, count] = at.split(",").map(Number);
    const images = `${count} image${count === 1 ? "" : "s"}`;
    const told = row === column ? `${images} of ${names[row]} recognised` : `${images} of ${names[row]} taken for ${names[column]}`;
    matrix.closest("section").querySelector(".told").textContent = told;
  }

  // A sign that the handlers are there: what was in the page before has them already.
  const news = (selector) => [...document.querySelectorAll(selector)].filter((one) => !one.dataset.alive && (one.dataset.alive = "yes"));

  function enliven() {
    for (const place of news("[data-chart]")) place.addEventListener("keydown", moveCursor);
    for (const button of news(".sortable th button")) {
      button.addEventListener("click", () => sort(button.parentNode, turned(button.parentNode)));
    }
    for (const matrix of news(".matrix")) matrix.addEventListener("pointerover", tell);
    for (const box of news("[data-run]")) {
      box.addEventListener("change", () => {
        box.checked ? hidden.delete(+box.dataset.run) : hidden.add(+box.dataset.run);
        drawAll();
      });
    }
    for (const link of news('a[href^="#run"]')) {
      link.addEventListener("click", () => { document.querySelector(link.hash).open = true; });
    }
  }

  // What was sorted before stays sorted, and a cursor on a curve where it is.
  function takeNews(event) {
    const cursors = drawn.map((one) => one.cursor.idx);
    charts = event.detail;
    hidden.clear();
    for (const box of document.querySelectorAll("[data-run]:not(:checked)")) hidden.add(+box.dataset.run);
    enliven();
    for (const head of document.querySelectorAll('.sortable th[aria-sort$="ending"]')) sort(head, head.getAttribute("aria-sort"));
    drawAll();
    drawn.forEach((one, i) => { if (cursors[i] != null) pointAt(one, cursors[i]); });
  }

  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawAll(); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("curves", takeNews);
  enliven();
  drawAll();
})();
