// Keeps an open page current: polls its address with the ETag it has, and replaces the parts marked data-live that changed.
// Without this script a page shows the same, as of its loading.
"use strict";
(() => {
  // All in milliseconds.
  const EVERY = 1500;
  const SHARE = 10; // polling takes at most a tenth of the time: a busy server is polled less often
  const UNCHANGED_FOR = 30000; // then the page is read without the ETag, which does not cover ages and heartbeats
  const PATIENCE = 30000;
  const LONGEST = 60000; // between failed polls
  const POLL = { Accept: "text/html", "X-Registrar-Poll": "1" }; // does not keep a session from becoming idle
  const status = document.getElementById("live"), principal = document.body.dataset.principal;
  const hasParts = document.querySelector("main [data-live]"); // else only the navigation's count is kept current
  let etag = document.body.dataset.etag, read = Date.now(), failures = 0, busy = false, timer = null, latest = null;

  for (const button of document.querySelectorAll(".copy")) show(button);
  document.addEventListener("click", copy);

  if (etag !== undefined && document.querySelector("[data-live]")) {
    // At once when the tab becomes visible, and never while it is hidden.
    document.addEventListener("visibilitychange", poll);
    say("live");
    timer = setTimeout(poll, EVERY);
  }

  async function poll() {
    clearTimeout(timer);
    if (document.hidden || busy) return;
    busy = true;
    const began = Date.now();
    failures = await refresh() ? 0 : failures + 1;
    busy = false;
    timer = setTimeout(poll, failures ? backoff() : Math.max(EVERY, SHARE * (Date.now() - began)));
  }

  // With jitter, so that not all tabs poll in the moment when the server is back.
  function backoff() { return Math.min(LONGEST, EVERY * 2 ** failures) * (0.75 + Math.random() / 2); }

  // Return whether the page is current now.
  async function refresh() {
    const headers = Date.now() - read < UNCHANGED_FOR && etag ? { ...POLL, "If-None-Match": etag } : POLL;
    const options = { headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) };
    try {
      const response = await fetch(location.href, options);
      if (response.ok && !take(await response.text())) {
        say("not live: another person is signed in, reload the page");
        return false;
      }
      if (latest) swap(latest);
      const current = response.ok || response.status === 304;
      say(current ? "live" : response.status >= 500 ? "not live: trying again" : "not live: reload to see what is new");
      return current;
    } catch {
      say("not live: trying again");
      return false;
    }
  }

  function say(words) { if (status && hasParts && status.textContent !== words) status.textContent = words; }

  // Keep the page, if it is for the same person: nobody must send another person's form under this name.
  function take(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.body.dataset.principal !== principal) return false;
    latest = page;
    etag = latest.body.dataset.etag;
    read = Date.now();
    return true;
  }

  // Move the parts out of `page`; a part that is skipped stays there for the next poll.
  function swap(page) {
    if (document.title !== page.title) document.title = page.title;
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (fresh) document.dispatchEvent(new CustomEvent("part", { detail: fresh })); // times.js
      // Skip a part with the focus or with typed text.
      if (!fresh || old.contains(document.activeElement) || filled(old) || same(fresh, old)) continue;
      for (const button of fresh.querySelectorAll(".copy")) show(button);
      const parts = [...old.querySelectorAll("details, .table")].map((part) => [part.open, part.scrollLeft]);
      old.replaceWith(document.adoptNode(fresh));
      fresh.querySelectorAll("details, .table").forEach((part, nth) => keep(part, ...(parts[nth] ?? [])));
    }
  }

  // Keep opened details open, and scrolled tables in place.
  function keep(part, open = false, left = 0) {
    if (open) part.open = true;
    if (left) part.scrollLeft = left;
  }

  function filled(part) {
    return [...part.querySelectorAll("input:not([type=hidden]), textarea")].some((field) => field.value !== field.defaultValue);
  }

  // Compare without the hidden fields of forms, which are new each time.
  function same(a, b) { return comparable(a) === comparable(b); }

  function comparable(part) {
    return part.innerHTML.replace(/ (?:hidden|open)=""/g, "").replace(/(name="(?:csrf|key)" value=)"[^"]*"/g, "$1");
  }

  function show(button) { if (navigator.clipboard) button.hidden = false; }

  async function copy(event) {
    const button = event.target.closest(".copy");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  }
})();
