// Keyboard shortcuts, which only move: the list of them is templates/pages/keys.html, and they can be turned off there.
"use strict";
(() => {
  const KEY = "registrar.keys", SOON = 1500; // milliseconds between g and the letter after it
  const GOES = { o: "/", m: "/models", p: "/promotions", e: "/events" };
  const help = document.getElementById("keys"), opener = document.getElementById("keys-help");
  const on = document.getElementById("keys-on"), find = document.getElementById("q");
  let went = 0; // when g was pressed

  on.checked = remembered() !== "off";
  on.addEventListener("change", () => remember(on.checked ? "on" : "off"));
  opener.addEventListener("click", () => help.showModal());
  help.addEventListener("click", (event) => { if (event.target === help) help.close(); }); // beside it
  document.addEventListener("keydown", press);

  function press(event) {
    if (!on.checked || help.open || event.defaultPrevented || event.repeat || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const after = Date.now() - went < SOON, act = after ? go(event.key) : single(event.key);
    went = 0;
    if (!act) return;
    event.preventDefault();
    act();
  }

  // The navigation has the lists that this person may see.
  function go(key) {
    const link = GOES[key] && document.querySelector(`nav a[href="${GOES[key]}"]`);
    return link && (() => link.click());
  }

  function single(key) {
    switch (key) {
      case "/": return find && (() => { find.focus(); find.select(); });
      case "?": return () => help.showModal();
      case "a": return decision();
      case "g": return () => { went = Date.now(); };
      default: return null;
    }
  }

  // The first button or field of the decision, if this page has one: it gets the focus, and is not pressed.
  function decision() {
    const first = document.querySelector("#decide :is(button, input:not([type=hidden]), textarea, select, a[href])");
    return first && (() => { first.focus(); first.scrollIntoView({ block: "center" }); });
  }

  function typing(target) { return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null; }

  // A browser may forbid storage.
  function remembered() { try { return localStorage.getItem(KEY); } catch { return null; } }
  function remember(value) { try { localStorage.setItem(KEY, value); } catch { /* for this page alone */ } }
})();
