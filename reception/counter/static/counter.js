// Keeps a page of the counter up to date without replacing what somebody is using, and sends its forms.
"use strict";
(() => {
  const body = document.body;
  const csrf = document.querySelector('meta[name="csrf"]')?.content || "";
  const HERE_MS = 30000;

  // --- One node made like another one, in place: a focused field, an opened part and a typed word stay. ---
  const key = (node) => node.dataset?.key || node.id || "";

  function attributes(old, fresh) {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(old.tagName === "DETAILS" && name === "open")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) === value) continue;
      const typed = name === "value" && old.tagName === "INPUT" && old.type !== "hidden";
      if (typed && (old === document.activeElement || old.value !== old.defaultValue)) continue;
      old.setAttribute(name, value);
      if (typed) old.value = value;
    }
  }

  function same(old, fresh) {
    return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && key(old) === key(fresh);
  }

  function children(old, fresh) {
    const keyed = new Map([...old.children].filter(key).map((each) => [key(each), each]));
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const wanted = next.nodeType === 1 && key(next) ? keyed.get(key(next)) : null;
      if (wanted && wanted !== at && !wanted.contains(document.activeElement)) {
        old.insertBefore(wanted, at);
        morph(wanted, next);
      } else if (wanted && wanted !== at) {
        // What is being used stays; the others move around it.
        while (at && at !== wanted) { const gone = at; at = at.nextSibling; if (!key(gone)) gone.remove(); else old.append(gone); }
        morph(wanted, next);
        at = wanted.nextSibling;
      } else if (at && same(at, next)) {
        morph(at, next);
        at = at.nextSibling;
      } else {
        old.insertBefore(document.importNode(next, true), at);
      }
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  }

  function morph(old, fresh) {
    if (old.nodeType === 3) { if (old.data !== fresh.data) old.data = fresh.data; return; }
    if (old.nodeType !== 1) return;
    attributes(old, fresh);
    if (old.tagName !== "SELECT" || old !== document.activeElement) children(old, fresh);
  }

  function show(id, html) {
    const old = document.getElementById(id);
    if (!old) return;
    const made = old.tagName === "TBODY" || old.tagName === "TR" ? "table" : "div";
    const page = new DOMParser().parseFromString(`<${made}>${html}</${made}>`, "text/html");
    const fresh = page.getElementById(id);
    if (fresh) morph(old, fresh);
  }

  function order(ids) {
    const rows = document.getElementById("rows");
    if (!rows || rows.contains(document.activeElement)) return;
    ids.forEach((id, at) => {
      const row = document.getElementById(`row-${id}`);
      if (row && rows.children[at] !== row) rows.insertBefore(row, rows.children[at] || null);
    });
  }

  function update(news) {
    for (const [id, html] of Object.entries(news.regions || {})) {
      if (id.startsWith("row-") && !document.getElementById(id)) {
        document.getElementById("rows")?.append(document.createElement("tr"));
        document.getElementById("rows").lastElementChild.id = id;
      }
      show(id, html);
    }
    if (news.order) order(news.order);
    if (news.said !== undefined) say(news.said);
    clock();
    ring();
  }

  function say(text) {
    const said = document.getElementById("said");
    if (said) said.textContent = text;
  }

  // --- How long it has been so ---
  let ahead = 0;
  function clock() {
    for (const each of document.querySelectorAll("[data-since]")) {
      const minutes = Math.floor((Date.now() + ahead - each.dataset.since * 1000) / 60000);
      const words = minutes > 0 ? each.dataset.words.replace("{n}", minutes) : "";
      if (each.textContent !== words) each.textContent = words;
    }
  }
  setInterval(clock, 5000);

  // --- A call is heard once ---
  const rung = new Set();
  let sound = null;
  function ring() {
    for (const call of document.querySelectorAll("[data-sound]")) {
      if (rung.has(call.dataset.key)) continue;
      rung.add(call.dataset.key);
      document.title = `! ${document.title.replace(/^! /, "")}`;
      try {
        sound = sound || new AudioContext();
        [0, 0.25].forEach((after) => {
          const tone = sound.createOscillator(), loud = sound.createGain();
          tone.frequency.value = 880;
          loud.gain.value = 0.15;
          tone.connect(loud).connect(sound.destination);
          tone.start(sound.currentTime + after);
          tone.stop(sound.currentTime + after + 0.15);
        });
      } catch { /* no sound here: the lane and the title tell it */ }
    }
    if (!document.querySelector("[data-sound]")) document.title = document.title.replace(/^! /, "");
  }

  // --- News of the terminal ---
  let source = null;
  function listen() {
    source?.close();
    source = null;
    if (!body.dataset.live) return;
    source = new EventSource(body.dataset.live);
    source.onopen = () => body.removeAttribute("data-cut");
    source.onerror = () => body.setAttribute("data-cut", "");
    source.addEventListener("news", (event) => update(JSON.parse(event.data)));
    source.addEventListener("clock", (event) => { ahead = Number(event.data) * 1000 - Date.now(); clock(); });
    source.addEventListener("bye", (event) => leave(event.data));
  }

  function leave(where) {
    source?.close();
    body.replaceChildren();
    location.replace(where);
  }

  // --- Forms ---
  async function send(form, button) {
    const fields = new URLSearchParams(new FormData(form, button));
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json", "X-CSRF": csrf }, redirect: "follow" });
    } catch {
      say(document.documentElement.lang === "en" ? "The counter's program does not answer." : "窓口のプログラムが応答しません。");
      return;
    }
    if (answer.status === 401) { leave("/login"); return; }
    const news = await answer.json().catch(() => null);
    if (!news) { location.reload(); return; }
    if (news.ok) for (const field of form.querySelectorAll('input:not([type="hidden"]):not([type="radio"])')) {
      if (form.hasAttribute("data-empties") || field.type === "password") field.value = "";
      field.defaultValue = field.value;
    }
    update(news);
  }

  let soon = 0;
  const live = (form) => body.dataset.live && (form.action.includes("/do/") || form.hasAttribute("data-as-typed"));
  document.addEventListener("submit", (event) => {
    clearTimeout(soon);
    if (!live(event.target)) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.hasAttribute("data-as-typed")) return;
    clearTimeout(soon);
    soon = setTimeout(() => send(form), 150);
  });

  // --- Another visit is chosen without leaving the page; the back button comes back to the one before ---
  async function choose(url) {
    const answer = await fetch(url, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) { location.assign(url); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    body.dataset.live = page.body.dataset.live || "";
    for (const id of ["status", "calls", "notices", "conflicts", "list", "check", "person", "help", "lamps"]) {
      const fresh = page.getElementById(id), old = document.getElementById(id);
      if (fresh && old) morph(old, fresh);
    }
    listen();
    clock();
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-choose]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    choose(link.href);
  });
  addEventListener("popstate", () => { if (body.dataset.live) choose(location.href); });
  document.addEventListener("keydown", (event) => {
    const link = event.target.closest?.("a[data-choose]");
    if (!link || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
    const links = [...document.querySelectorAll("a[data-choose]")];
    const next = links[links.indexOf(link) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus(); }
  });

  // --- Somebody is here ---
  let told = Date.now();
  function here() {
    if (!csrf || Date.now() - told < HERE_MS) return;
    told = Date.now();
    fetch("/here", { method: "POST", headers: { "X-CSRF": csrf } }).then((answer) => { if (answer.status === 401) leave("/login"); }).catch(() => {});
  }
  for (const name of ["keydown", "pointerdown"]) document.addEventListener(name, here, { passive: true });
  // A page that the back button brings from memory is asked for anew: the login may be over.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  listen();
  clock();
  for (const call of document.querySelectorAll("[data-sound]")) rung.add(call.dataset.key);
})();
