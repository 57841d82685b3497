"use strict";
(() => {
  // --- the live part: replaced as a whole every second; the place keeps focus and what is selected ---
  let stream = null;

  function follow() {
    const place = document.hidden ? null : document.querySelector("[data-live]");
    if (stream && stream.place === place) return;
    if (stream) stream.close();
    stream = null;
    if (!place) return;
    stream = new EventSource(place.dataset.live);
    stream.place = place;
    stream.onmessage = (event) => show(place, event.data);
    stream.onerror = () => place.classList.add("stale");
    stream.addEventListener("away", () => place.classList.add("stale"));
  }

  function show(place, html) {
    const selection = getSelection();
    if (!selection.isCollapsed && place.contains(selection.anchorNode)) return;
    const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
    place.innerHTML = html;
    place.classList.remove("stale");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const status = document.getElementById("live-status");
    const said = place.querySelector("[data-status]")?.textContent.trim() ?? "";
    if (status && status.textContent !== said) status.textContent = said;
  }

  // --- keys work within a part that says so, while it has the focus ---
  function press(event) {
    const part = event.target.closest("[data-keys]");
    if (!part || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const meant = part.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!meant) return;
    event.preventDefault();
    meant.click();
  }

  function tick(event) {
    if (!event.target.matches("[data-all]")) return;
    for (const box of event.target.form.elements) {
      if (box.type === "checkbox" && box.name === "id") box.checked = event.target.checked;
    }
  }

  // --- after a step to another page, the focus goes where a reader begins ---
  function begin(places) {
    if (document.activeElement !== document.body) return;
    const first = places.map((place) => document.querySelector(place)).find(Boolean);
    first?.focus({ preventScroll: true });
  }

  function arrive(event) {
    follow();
    if (event.detail.elt.id !== "page") return;
    begin(["[data-keys]", ".said", "h1"]);
  }

  document.addEventListener("htmx:afterSettle", arrive);
  document.addEventListener("visibilitychange", follow);
  document.addEventListener("keydown", press);
  document.addEventListener("change", tick);
  follow();
  begin(["[data-keys]"]);
})();
