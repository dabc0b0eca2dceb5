// Fills the code of a sign-in link in from behind the #, and asks whom it is for. Signing in takes a person's click.
// Without this script the link is pasted into the field.
"use strict";
(() => {
  const form = document.getElementById("link-form"), field = document.getElementById("link-code");
  addEventListener("hashchange", ask); // a link that is opened in the tab of this page
  ask();

  function ask() {
    const code = location.hash.slice(1);
    if (!form || !code.startsWith("rgl_")) return;
    history.replaceState(null, "", location.pathname + location.search); // the browser's history does not keep the code
    field.value = code;
    form.submit();
  }
})();
