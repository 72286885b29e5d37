"use strict";
// Asks for news every few seconds, and changes what is shown: values where they are, the whole page where there is more in it.
(() => {
  const SECONDS = 3;
  const live = document.querySelector(".live");
  const said = live.querySelector("b"), note = live.querySelector("span");
  let curves = document.getElementById("curves").textContent;
  let asking = false;

  const chosen = () => [...document.querySelectorAll("[data-choose]:checked")].map((box) => box.dataset.choose);

  function address() {
    const wanted = chosen().map((run) => `run=${encodeURIComponent(run)}`).join("&");
    return wanted ? `${live.dataset.news}?${wanted}` : live.dataset.news;
  }

  // Screen readers tell what changes here, so only what differs is written.
  function write(place, text) {
    if (place.textContent !== text) place.textContent = text;
  }

  function sayAnswered(state) {
    live.classList.remove("lost");
    write(said, state);
    write(note, "This page asks for news every few seconds.");
  }

  function sayLost(why) {
    if (live.classList.contains("lost")) return;
    live.classList.add("lost");
    write(said, why);
    write(note, `What is shown is of ${new Date().toLocaleTimeString()}.`);
  }

  // What a person did to the page stays: the focus, the place, what is unfolded, sorted or hidden.
  function keeping(change) {
    const place = [scrollX, scrollY], focus = keyOf(document.activeElement);
    const boxes = new Map([...document.querySelectorAll(".box")].map((box) => [keyOf(box), [box.scrollLeft, box.scrollTop]]));
    const unfolded = new Map([...document.querySelectorAll("details")].map((one) => [keyOf(one), one.open]));
    const unchecked = new Set([...document.querySelectorAll("[data-run]:not(:checked)")].map(keyOf));
    const sorted = new Map([...document.querySelectorAll(".sortable th")].map((head) => [keyOf(head), head.getAttribute("aria-sort")]));
    change();
    for (const one of document.querySelectorAll("details")) one.open = unfolded.get(keyOf(one)) ?? one.open;
    for (const box of document.querySelectorAll("[data-run]")) if (unchecked.has(keyOf(box))) box.checked = false;
    for (const head of document.querySelectorAll(".sortable th")) head.setAttribute("aria-sort", sorted.get(keyOf(head)) ?? "none");
    document.dispatchEvent(new CustomEvent("curves", { detail: JSON.parse(curves) }));
    for (const box of document.querySelectorAll(".box")) [box.scrollLeft, box.scrollTop] = boxes.get(keyOf(box)) ?? [0, 0];
    if (keyOf(document.activeElement) !== focus) find(focus)?.focus({ preventScroll: true });
    scrollTo(...place);
  }

  // The same for the same thing in a page that was fetched anew: what kind it is, and its words or its name, in its part of the page.
  function keyOf(one) {
    if (!one || one === document.body) return "";
    const part = one.closest("figure, section, details.run")?.querySelector("figcaption, h2")?.textContent ?? "";
    const label = one.getAttribute("aria-label") ?? (one.closest("label") ?? one.querySelector(":scope > summary") ?? one).textContent;
    return [one.tagName, one.dataset.choose ?? one.getAttribute("href") ?? "", part, label.slice(0, 200)].join("\n");
  }

  const find = (key) => key && [...document.querySelectorAll("a, button, input, summary, [tabindex]")].find((one) => keyOf(one) === key);

  function fillTables(charts) {
    for (const place of document.querySelectorAll("[data-chart]")) {
      const { columns, unit } = charts[place.dataset.chart];
      const [epochs, ...series] = columns;
      const body = place.closest("figure").querySelector(".sortable tbody");
      body.replaceChildren();
      epochs.forEach((epoch, i) => {
        const row = body.insertRow();
        for (const text of [epoch, ...series.map((values) => shown(values[i], unit))]) addCell(row, text);
      });
    }
  }

  const shown = (value, unit) => (value === null ? "-" : `${+value.toPrecision(5)}${unit}`);

  function addCell(row, text) {
    const cell = row.insertCell();
    cell.className = "n";
    cell.textContent = text;
  }

  // A row keeps its first cell, in which the box and the link are.
  function fillList(rows) {
    const list = document.querySelector("table.sortable"), body = list.tBodies[0];
    for (const { run, cells } of rows) {
      const row = body.querySelector(`[data-choose="${run}"]`)?.closest("tr") ?? addRow(list, cells[0]);
      cells.forEach((cell, i) => {
        if (i === 0 || row.cells[i].dataset.was === cell) return;
        row.cells[i].innerHTML = cell;
        row.cells[i].dataset.was = cell;
      });
    }
  }

  function addRow(list, first) {
    const row = list.tBodies[0].insertRow();
    for (const head of list.tHead.rows[0].cells) row.insertCell().className = head.className;
    row.cells[0].innerHTML = first;
    return row;
  }

  async function wholePage() {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const other = new DOMParser().parseFromString(await answer.text(), "text/html");
    curves = other.getElementById("curves").textContent;
    live.dataset.shape = other.querySelector(".live").dataset.shape;
    const fresh = [...other.querySelector("main").children].filter((one) => one.tagName !== "SCRIPT");
    keeping(() => {
      for (const old of [...document.querySelector("main").children]) if (old.tagName !== "SCRIPT") old.remove();
      document.querySelector("main").prepend(...fresh.map((one) => document.adoptNode(one)));
    });
  }

  function take(news) {
    const charts = news.charts && JSON.stringify(news.charts);
    const place = document.getElementById("chosen");
    if (news.rows) keepingRows(() => fillList(news.rows));
    if (charts === undefined || (charts === curves && news.shape === live.dataset.shape)) return;
    curves = charts;
    keeping(() => {
      if (place && news.shape !== live.dataset.shape) place.innerHTML = news.curves;
      else fillTables(news.charts);
      if (news.cards) document.querySelector(".cards").outerHTML = news.cards;
    });
    live.dataset.shape = news.shape;
  }

  // The table is sorted again only where something in it changed.
  function keepingRows(change) {
    const body = document.querySelector("table.sortable").tBodies[0], before = body.textContent;
    change();
    if (body.textContent !== before) keeping(() => {});
  }

  async function ask() {
    if (asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(address());
      if (!answer.ok) return sayLost("This run is not watched any more. Open the address that mindzoo watch printed.");
      const news = await answer.json();
      const isOther = news.shape !== undefined && news.shape !== live.dataset.shape && !news.rows;
      if (isOther) await wholePage();
      else take(news);
      sayAnswered(news.state);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      sayLost("mindzoo watch does not answer any more.");
    } finally {
      asking = false;
    }
  }

  function limit(event) {
    if (!event.target.dataset.choose) return;
    const most = chosen().length >= 8;
    for (const box of document.querySelectorAll("[data-choose]:not(:checked)")) box.disabled = most;
    ask();
  }

  document.addEventListener("change", limit);
  document.addEventListener("visibilitychange", ask);
  setInterval(ask, SECONDS * 1000);
  ask();
})();
