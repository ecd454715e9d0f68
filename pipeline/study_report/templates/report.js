// Interaction with the maps of a report: a card for the current mark, arrow keys, and a legend that filters by group.
"use strict";
(() => {
  const box = document.querySelector(".report .explore");
  if (!box) return;
  const { sheet, open, close, nophoto } = box.dataset;
  const cell = Number(box.dataset.cell), columns = Number(box.dataset.columns);
  const photos = new Image();
  const card = document.createElement("div");
  const frame = document.createElement("div"), canvas = document.createElement("canvas"), none = document.createElement("span");
  const name = document.createElement("b"), category = document.createElement("span"), words = document.createElement("div");
  const button = document.createElement("button");
  card.className = "peek"; card.hidden = true; card.setAttribute("role", "status");
  frame.className = "window"; none.textContent = nophoto; canvas.width = canvas.height = cell || 80;
  name.dir = "auto"; category.className = "quietly"; category.dir = "auto"; button.type = "button";
  frame.append(canvas, none); words.append(name, category); card.append(frame, words, button);
  box.closest(".report").append(card);
  let current = null, pinned = false;

  function paint() {
    const has = current && current.dataset.t !== undefined && photos.complete && photos.naturalWidth > 0;
    none.hidden = has; canvas.hidden = !has;
    if (!has) return;
    const index = Number(current.dataset.t);
    canvas.getContext("2d").drawImage(photos, cell * (index % columns), cell * Math.floor(index / columns), cell, cell, 0, 0, cell, cell);
  }
  function show(mark, large) {
    if (!photos.src && sheet) { photos.addEventListener("load", paint); photos.src = sheet; }
    if (current) current.classList.remove("at");
    current = mark; pinned = large;
    mark.classList.add("at");
    // The browser's own tooltip would cover the card: its text is moved to the mark's data.
    const tooltip = mark.querySelector("title");
    if (tooltip) { mark.dataset.tooltip = tooltip.textContent; tooltip.remove(); }
    const [first, second] = (mark.dataset.tooltip || "").split("\n");
    name.textContent = first; category.textContent = second || "";
    card.classList.toggle("large", large);
    const link = mark.closest("a");
    button.textContent = link ? open : close;
    button.onclick = link ? () => { location.href = link.getAttribute("href"); } : hide;
    card.hidden = false;
    paint();
    place();
  }
  function place() {
    const spot = current.getBoundingClientRect(), size = card.getBoundingClientRect(), gap = 12;
    const right = spot.right + gap + size.width > innerWidth ? spot.left - gap - size.width : spot.right + gap;
    card.style.left = `${Math.max(8, Math.min(right, innerWidth - size.width - 8))}px`;
    card.style.top = `${Math.max(8, Math.min(spot.top - size.height / 2, innerHeight - size.height - 8))}px`;
  }
  function hide() {
    if (current) current.classList.remove("at");
    current = null; pinned = false; card.hidden = true;
  }
  const markOf = (event) => event.target instanceof Element ? event.target.closest(".map path") : null;

  box.addEventListener("pointerover", (event) => {
    const mark = markOf(event);
    if (mark && !pinned && event.pointerType !== "touch") show(mark, false);
  });
  box.addEventListener("pointerout", (event) => { if (!pinned && markOf(event)) hide(); });
  box.addEventListener("click", (event) => {
    const mark = markOf(event);
    if (!mark) { if (pinned) hide(); return; }
    // Touch has no hover: a touch shows the card, and the button in the card opens the listing.
    if (mark.closest("a") && event.pointerType !== "touch") return;
    event.preventDefault();
    show(mark, true);
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", () => { if (current) place(); }, { passive: true });
  box.addEventListener("change", hide);

  // Arrow keys move from mark to mark on the focused map.
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const middle = (mark) => { const b = mark.getBBox(); return [b.x + b.width / 2, b.y + b.height / 2]; };
  box.addEventListener("keydown", (event) => {
    const map = event.target instanceof Element ? event.target.closest(".map > svg") : null;
    if (!map) return;
    const marks = [...map.querySelectorAll("path:not(.faint)")];
    if (event.key === "Enter" && current) {
      const link = current.closest("a");
      if (link) location.href = link.getAttribute("href"); else show(current, true);
      return;
    }
    const step = STEPS[event.key];
    if (!step || !marks.length) return;
    event.preventDefault();
    if (!current || !map.contains(current)) { show(marks[0], false); return; }
    const [x, y] = middle(current);
    let best = null, bestCost = Infinity;
    for (const mark of marks) {
      const [u, v] = middle(mark), along = (u - x) * step[0] + (v - y) * step[1];
      const aside = Math.abs((u - x) * step[1]) + Math.abs((v - y) * step[0]);
      if (along > 0.5 && along + 2 * aside < bestCost) { best = mark; bestCost = along + 2 * aside; }
    }
    if (best) show(best, false);
  });

  // Pressing a group in the legend fades all other groups on the maps.
  const groups = box.querySelector(".groups");
  if (!groups) return;
  groups.classList.add("live");
  for (const entry of groups.children) {
    entry.tabIndex = 0; entry.setAttribute("role", "button"); entry.setAttribute("aria-pressed", "false");
    const press = () => {
      const selected = !entry.classList.contains("only");
      for (const other of groups.children) {
        other.classList.toggle("only", selected && other === entry);
        other.setAttribute("aria-pressed", String(selected && other === entry));
      }
      for (const mark of box.querySelectorAll(".map path")) mark.classList.toggle("faint", selected && mark.dataset.g !== entry.dataset.g);
    };
    entry.addEventListener("click", press);
    entry.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(); } });
  }
})();
