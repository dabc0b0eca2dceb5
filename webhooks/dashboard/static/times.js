// Shows times as ago, in the viewer's time zone or in UTC, as chosen in the footer; the title has what the text has not.
// Without this script a time is shown as ago, or in UTC, and its title is in UTC.
"use strict";
(() => {
  const KEY = "registrar.times", FORMS = ["ago", "local", "utc"];
  const choice = document.getElementById("times"), settings = document.getElementById("settings");
  const parts = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const local = new Intl.DateTimeFormat("sv", { ...parts, timeZoneName: "short" }); // 2026-11-22 13:00:00 CET
  const utc = new Intl.DateTimeFormat("sv", { ...parts, timeZone: "UTC" });
  let form = FORMS.includes(remembered()) ? remembered() : "ago";

  if (settings) settings.hidden = false;
  if (choice) {
    choice.value = form;
    choice.addEventListener("change", () => { form = choice.value; remember(form); showAll(document); });
  }
  // pages.js sends each part that it puts into the page.
  document.addEventListener("part", (event) => showAll(event.detail));
  showAll(document);

  function showAll(within) { for (const time of within.querySelectorAll("time[datetime]")) show(time); }

  // A time whose text the server made as ago keeps that text; others are in UTC from the server.
  function show(time) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) return;
    time.dataset.ago ??= time.title ? time.textContent : "";
    const zoned = { local: local.format(at), utc: `${utc.format(at)} UTC` };
    const chosen = form === "ago" && !time.dataset.ago ? "local" : form;
    time.textContent = chosen === "ago" ? time.dataset.ago : zoned[chosen];
    const both = [...new Set([zoned.local, zoned.utc])].join(", "); // one, where the viewer's zone is UTC
    time.title = chosen === "ago" ? both : chosen === "local" ? zoned.utc : zoned.local;
  }

  // A browser may forbid storage.
  function remembered() { try { return localStorage.getItem(KEY); } catch { return null; } }
  function remember(value) { try { localStorage.setItem(KEY, value); } catch { /* for this page alone */ } }
})();
