// Filters the entries of /docs by what is typed, and opens the contents where there is room beside the text.
// Without this script all entries are shown, with the contents above them.
"use strict";
(() => {
  const field = document.getElementById("reference-filter"), count = document.getElementById("reference-count");
  const entries = [...document.querySelectorAll(".entries section")].map((entry) => [entry, entry.textContent.toLowerCase()]);
  const links = new Map([...document.querySelectorAll(".contents li a")].map((link) => [link.hash.slice(1), link.parentElement]));

  document.getElementById("reference-find").hidden = false;
  if (matchMedia("(min-width: 62rem)").matches) open();
  field.addEventListener("input", filter);

  function filter() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [entry, text] of entries) {
      const matches = words.every((word) => text.includes(word));
      entry.hidden = !matches;
      links.get(entry.id).hidden = !matches;
      shown += matches;
    }
    count.textContent = words.length ? `${shown} of ${entries.length}` : "";
    if (words.length) open();
  }

  function open() { for (const part of document.querySelectorAll(".contents details")) part.open = true; }
})();
