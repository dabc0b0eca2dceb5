// Keeps an open page current: polls its address with the ETag it has, and replaces the parts marked data-live that changed.
// Without this script every page says the same, as of when it was loaded.
"use strict";
(() => {
  // All in milliseconds.
  const EVERY = 1500;
  const SHARE = 10; // polling takes a tenth of the time at most: a busy server is asked less often
  const UNCHANGED_FOR = 30000; // then the page is read all the same: its ages and heartbeats are not in the ETag
  const PATIENCE = 30000;
  const LONGEST = 60000; // between two polls that fail
  const POLL = { Accept: "text/html", "X-Registrar-Poll": "1" }; // does not keep a session from ending as idle
  const status = document.getElementById("live"), principal = document.body.dataset.principal;
  let etag = document.body.dataset.etag, read = Date.now(), failures = 0, busy = false, timer = null, latest = null;

  for (const button of document.querySelectorAll(".copy")) show(button);
  document.addEventListener("click", copy);

  if (etag !== undefined && document.querySelector("[data-live]")) {
    // At once when the tab is seen again, and never while it is not.
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

  // With jitter, so that the tabs don't all come back in the moment in which the server does.
  function backoff() { return Math.min(LONGEST, EVERY * 2 ** failures) * (0.75 + Math.random() / 2); }

  // Whether the page is current now.
  async function refresh() {
    const headers = Date.now() - read < UNCHANGED_FOR && etag ? { ...POLL, "If-None-Match": etag } : POLL;
    const how = { headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) };
    try {
      const answer = await fetch(location.href, how);
      if (answer.ok && !take(await answer.text())) {
        say("not live: who is signed in here has changed, reload the page");
        return false;
      }
      if (latest) swap(latest);
      const current = answer.ok || answer.status === 304;
      say(current ? "live" : answer.status >= 500 ? "not live: trying again" : "not live: reload to see what is new");
      return current;
    } catch {
      say("not live: trying again");
      return false;
    }
  }

  function say(words) { if (status && status.textContent !== words) status.textContent = words; }

  // Whether it is a page of whom this page names: under their name nobody sends another person's form.
  function take(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.body.dataset.principal !== principal) return false;
    latest = page;
    etag = latest.body.dataset.etag;
    read = Date.now();
    return true;
  }

  // Parts move out of `page`; one that is left alone stays there for the next poll.
  function swap(page) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const made = page.getElementById(old.id);
      // What somebody is typing into, or has a key's focus in, is left alone for now.
      if (!made || old.contains(document.activeElement) || filled(old) || same(made, old)) continue;
      for (const button of made.querySelectorAll(".copy")) show(button);
      const parts = [...old.querySelectorAll("details, .table")].map((part) => [part.open, part.scrollLeft]);
      old.replaceWith(document.adoptNode(made));
      made.querySelectorAll("details, .table").forEach((part, nth) => keep(part, ...(parts[nth] ?? [])));
    }
  }

  // What somebody opened stays open, and what they scrolled to stays in sight.
  function keep(part, open = false, left = 0) {
    if (open) part.open = true;
    if (left) part.scrollLeft = left;
  }

  function filled(part) {
    return [...part.querySelectorAll("input:not([type=hidden]), textarea")].some((one) => one.value !== one.defaultValue);
  }

  // What hides in a form is new each time, and says nothing.
  function same(a, b) { return told(a) === told(b); }

  function told(part) {
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
