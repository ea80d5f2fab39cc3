"use strict";
// Replaces the part of the page that changes, as often as it asks for; not while someone uses it, nor in a hidden tab.
(() => {
  const live = document.getElementById("live");

  function later() {
    const part = live.querySelector("[data-refresh]");
    window.setTimeout(refresh, 1000 * Number(part ? part.dataset.refresh : 30));
  }

  async function refresh() {
    if (document.hidden || live.contains(document.activeElement)) return later();
    try {
      const answer = await fetch(live.dataset.path, { headers: { Accept: "text/html" } });
      if (answer.redirected) return window.location.reload();
      if (answer.ok) {
        const found = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
        if (found && found.outerHTML !== live.firstElementChild.outerHTML) live.replaceChildren(found);
      }
    } catch (error) {
      // The service is being started again; the next try may find it.
      if (!(error instanceof TypeError)) throw error;
    }
    return later();
  }

  later();
})();
