"use strict";
// Without this script every page works; it shows times in the browser's zone, adds keys, and a slider over tiers.
(() => {
  const local = (root) => {
    for (const each of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(each.dateTime);
      const offset = -at.getTimezoneOffset();
      const two = (n) => String(Math.floor(Math.abs(n))).padStart(2, "0");
      const zone = (offset < 0 ? "-" : "+") + two(offset / 60) + ":" + two(offset % 60);
      each.title = each.textContent;
      each.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())} ${zone}`;
      each.dataset.local = "";
    }
  };
  const slider = (box) => {
    const figures = [...box.querySelectorAll("figure")];
    if (figures.length < 2) return;
    const range = Object.assign(document.createElement("input"), { type: "range", min: 0, max: figures.length - 1, value: 0 });
    range.setAttribute("aria-label", figures.map((figure) => figure.innerText.trim()).join(", "));
    const show = () => figures.forEach((figure, n) => { figure.hidden = n !== Number(range.value); });
    range.addEventListener("input", show);
    box.before(range);
    show();
  };
  const move = (step) => {
    const items = [...document.querySelectorAll(".item")];
    if (!items.length) return;
    const at = items.findIndex((item) => item.classList.contains("current"));
    const next = items[Math.max(0, Math.min(items.length - 1, at + step))];
    items.forEach((item) => item.classList.toggle("current", item === next));
    next.scrollIntoView({ block: "nearest" });
    const link = next.querySelector("a.more") || next.querySelector("th a") || next.querySelector("a");
    if (link) link.focus({ preventScroll: true });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "/") {
      const search = document.querySelector("input.search");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "?") document.querySelector("footer").scrollIntoView();
  });
  const start = () => {
    local(document);
    document.querySelectorAll("[data-slider]").forEach(slider);
    if (document.querySelector("[data-again]")) setTimeout(() => location.reload(), 150);
    new MutationObserver(() => local(document)).observe(document.getElementById("content"), { childList: true, subtree: true });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
