"use strict";
// Without this script every page works; it shows times in the browser's zone, adds keys, a slider over tiers, and
// files that are dropped on the page of imports, with the progress of their upload.
(() => {
  const local = (root) => {
    for (const each of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(each.dateTime);
      const offset = -at.getTimezoneOffset();
      const two = (n) => String(Math.floor(Math.abs(n))).padStart(2, "0");
      const zone = (offset < 0 ? "-" : "+") + two(offset / 60) + ":" + two(offset % 60);
      const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
      const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
      const whole = `${date} ${clock} ${zone}`;
      if (each.matches(".clock")) {
        each.title = `${whole} (${each.title})`;
        each.textContent = clock;
      } else if (each.matches(".date")) each.textContent = date;
      else {
        each.title = each.textContent;
        each.textContent = whole;
      }
      each.dataset.local = "";
    }
  };
  // Shows the day above the first message of each day, across the parts of a list.
  const days = () => {
    for (const list of document.querySelectorAll(".messages")) {
      const before = list.previousElementSibling;
      let last = before && before.matches(".messages") ? before.dataset.day : "";
      for (const day of list.querySelectorAll(".day")) {
        day.hidden = day.textContent === last;
        last = day.textContent;
      }
      list.dataset.day = last;
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
  const later = (call) => new Promise((done, failed) => call(done, failed));
  // Adds a file, or all files of a folder, by their paths.
  const gather = async (entry, path, found, most) => {
    if (found.size > most) return;
    if (entry.isFile) found.set(path + entry.name, await later((done, failed) => entry.file(done, failed)));
    else {
      const reader = entry.createReader();
      for (let part; (part = await later((done, failed) => reader.readEntries(done, failed))).length;)
        for (const each of part) await gather(each, `${path}${entry.name}/`, found, most);
    }
  };
  const uploads = (form) => {
    const says = form.dataset;
    const [drop, chosen, progress, status] = [".drop", "[data-chosen]", "[data-progress]", "[data-says]"].map((name) => form.querySelector(name));
    const bar = progress.querySelector("progress");
    const result = document.getElementById("result");
    const dropped = new Map();
    let request = null;
    const size = (files) => files.reduce((sum, [, file]) => sum + file.size, 0);
    const show = () => {
      chosen.hidden = !dropped.size;
      chosen.firstElementChild.textContent = says.dropped.replace("{n}", dropped.size).replace("{size}", `${(size([...dropped]) / 1e6).toFixed(1)} MB`);
    };
    const wrong = (files) => {
      if (!files.length) return says.none;
      if (files.length > says.mostFiles) return says.tooMany;
      return size(files) > says.mostBytes ? says.tooLarge : "";
    };
    const has = (event) => event.dataTransfer && event.dataTransfer.types.includes("Files");
    drop.hidden = false;
    document.addEventListener("dragover", (event) => { if (has(event)) { event.preventDefault(); drop.classList.add("over"); } });
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
    document.addEventListener("drop", async (event) => {
      if (!has(event)) return;
      event.preventDefault();
      drop.classList.remove("over");
      // what was dropped can be asked for only now, not after waiting
      const items = [...event.dataTransfer.items].filter((item) => item.kind === "file").map((item) => [item.webkitGetAsEntry(), item.getAsFile()]);
      status.textContent = says.looking;
      try {
        for (const [entry, file] of items) {
          if (entry) await gather(entry, "", dropped, Number(says.mostFiles));
          else if (file) dropped.set(file.name, file);
        }
        status.textContent = dropped.size ? wrong([...dropped]) : says.none;
      } catch (error) { status.textContent = error.message; }
      show();
    });
    chosen.querySelector("button").addEventListener("click", () => { dropped.clear(); show(); form.querySelector("[type=file]").focus(); });
    progress.querySelector("button").addEventListener("click", () => request && request.abort());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (request) return;
      const inputs = [...form.querySelectorAll("[type=file]")].flatMap((input) => [...input.files]);
      const files = [...inputs.map((file) => [file.webkitRelativePath || file.name, file]), ...dropped];
      status.textContent = wrong(files);
      if (status.textContent) return;
      const data = new FormData(form, event.submitter);
      data.delete("file");
      files.forEach(([path, file]) => data.append("file", file, path));
      request = new XMLHttpRequest();
      request.open("POST", form.action);
      request.responseType = "document";
      let tenth = -1;
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        bar.value = 100 * loaded / total;
        if (Math.floor(10 * loaded / total) === tenth) return;
        tenth = Math.floor(10 * loaded / total);
        status.textContent = says.sending.replace("{n}", 10 * tenth);
      });
      request.upload.addEventListener("load", () => { bar.removeAttribute("value"); status.textContent = says.reading; });
      request.addEventListener("loadend", () => {
        const { response, responseURL } = request;
        request = null;
        progress.hidden = true;
        status.textContent = response ? "" : says.interrupted;
        if (response && responseURL !== form.action.split("#")[0]) location.assign(responseURL);
        else if (response) {
          result.replaceChildren(...response.getElementById("content").childNodes);
          result.focus();
        }
      });
      bar.value = 0;
      progress.hidden = false;
      result.replaceChildren();
      request.send(data);
    });
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
    days();
    const tab = document.querySelector(".tabs [aria-current]");
    if (tab) tab.scrollIntoView({ block: "nearest", inline: "center" });
    document.querySelectorAll("[data-slider]").forEach(slider);
    document.querySelectorAll("[data-import]").forEach(uploads);
    if (document.querySelector("[data-again]")) setTimeout(() => location.reload(), 150);
    new MutationObserver(() => { local(document); days(); }).observe(document.getElementById("content"), { childList: true, subtree: true });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
