// Keeps pages fresh: when the server says that something changed, the parts marked data-live are read anew.
// Without this script every page says the same, as of when it was loaded.
"use strict";
(() => {
  const AT_MOST_EVERY = 1000; // milliseconds
  const AGAIN = 10000; // where there was no room
  const status = document.getElementById("live");
  let waiting = null, last = 0, busy = false;

  for (const button of document.querySelectorAll(".copy")) show(button);
  document.addEventListener("click", copy);

  const stream = document.body.dataset.stream;
  if (stream && window.EventSource && document.querySelector("[data-live]")) listen(stream);

  function listen(address) {
    let source = null;
    const open = () => {
      if (document.hidden) return;
      source?.close();
      source = new EventSource(address);
      source.addEventListener("changed", soon);
      source.addEventListener("open", () => say("live"));
      source.addEventListener("error", (event) => {
        const closed = event.target.readyState === EventSource.CLOSED;
        say(closed ? "not live: reload to see what is new" : "");
        if (closed && event.target === source) setTimeout(open, AGAIN);
      });
    };
    // A tab that nobody sees needs no stream: browsers have six connections for a host, and the server few streams.
    document.addEventListener("visibilitychange", () => {
      source?.close();
      open();
    });
    window.addEventListener("pagehide", () => source?.close());
    open();
  }

  function say(words) { if (status && status.textContent !== words) status.textContent = words; }

  function soon() {
    if (waiting || busy) { waiting = waiting || setTimeout(fresh, AT_MOST_EVERY); return; }
    waiting = setTimeout(fresh, Math.max(0, last + AT_MOST_EVERY - Date.now()));
  }

  async function fresh() {
    waiting = null; busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the stream says when the server is back */ }
    last = Date.now(); busy = false;
  }

  function swap(page) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const made = page.getElementById(old.id);
      // What somebody is typing into, or has a key's focus in, is left alone; it is fresh the next time.
      if (!made || old.contains(document.activeElement) || filled(old) || same(made, old)) continue;
      for (const button of made.querySelectorAll(".copy")) show(button);
      old.replaceWith(document.adoptNode(made));
    }
  }

  function filled(part) {
    return [...part.querySelectorAll("input:not([type=hidden]), textarea")].some((one) => one.value !== one.defaultValue);
  }

  // What hides in a form is new each time, and says nothing.
  function same(a, b) { return told(a) === told(b); }

  function told(part) {
    return part.innerHTML.replace(/ hidden=""/g, "").replace(/(name="(?:csrf|key)" value=)"[^"]*"/g, "$1");
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
