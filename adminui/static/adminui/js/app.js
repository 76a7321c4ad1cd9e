// What htmx does not do by itself: rest while nobody looks, leave alone what did not change, say when the line is cut.
"use strict";

(function () {
  // Every answer masks the CSRF token anew; that alone is no change.
  const TOKEN = /name="csrfmiddlewaretoken" value="[^"]*"/g;
  const shown = new WeakMap();

  function cut(isCut) {
    const notice = document.getElementById("connection-lost");
    if (notice) notice.hidden = !isCut;
  }

  document.addEventListener("htmx:beforeRequest", function (event) {
    if (document.hidden) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", function (event) {
    const target = event.detail.target;
    const text = event.detail.xhr.responseText.replace(TOKEN, "");
    // A swap would take a person's selection away and make a screen reader speak again.
    if (shown.get(target) === text) event.detail.shouldSwap = false;
    else if (event.detail.shouldSwap) shown.set(target, text);
  });

  document.addEventListener("htmx:afterOnLoad", () => cut(false));
  document.addEventListener("htmx:sendError", () => cut(true));
  document.addEventListener("htmx:responseError", () => cut(true));
})();
