"use strict";
// Filters and sorts the pictures, and changes between a picture and its heat map.
(() => {
  const list = document.getElementById("tiles");
  const tiles = [...list.children];
  const chosen = document.getElementById("class");
  const order = document.getElementById("order");
  const heat = document.getElementById("heat");
  const name = (tile) => tile.querySelector("h2").textContent;
  const orders = {
    given: (a, b) => a.dataset.place - b.dataset.place,
    most: (a, b) => b.dataset.sure - a.dataset.sure,
    least: (a, b) => unread(a) - unread(b) || a.dataset.sure - b.dataset.sure,
    name: (a, b) => name(a).localeCompare(name(b), undefined, { numeric: true }),
    class: (a, b) => unread(a) - unread(b) || best(a).localeCompare(best(b), undefined, { numeric: true }) || orders.most(a, b),
  };

  function unread(tile) {
    return Number(tile.dataset.sure < 0);
  }

  function best(tile) {
    const first = tile.querySelector(".bars bdi");
    return first ? first.textContent : "";
  }

  function matches(tile) {
    if (chosen.value === "") return true;
    return chosen.value === "unsure" ? "unsure" in tile.dataset : tile.dataset.class === chosen.value;
  }

  function show() {
    for (const tile of tiles) tile.hidden = !matches(tile);
    const count = tiles.filter((tile) => !tile.hidden).length;
    document.getElementById("count").textContent = `${count} of ${tiles.length} image${tiles.length === 1 ? "" : "s"}`;
  }

  function sort() {
    list.append(...[...tiles].sort((a, b) => orders[order.value](a, b) || orders.given(a, b)));
  }

  const buttons = [...list.querySelectorAll("button.frame")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    });
  }
  if (heat) heat.addEventListener("change", () => buttons.forEach((button) => button.setAttribute("aria-pressed", String(heat.checked))));
  chosen.addEventListener("change", show);
  order.addEventListener("change", sort);
  const form = document.getElementById("controls");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  // A browser keeps what was chosen before the page was loaded again.
  show();
  sort();
  if (heat && heat.checked) heat.dispatchEvent(new Event("change"));
})();
