// While an answer is on its way, the content is asked for again and replaced; without scripts the page reloads itself.
"use strict";
const PAUSE = 1000;
async function follow() {
  const main = document.querySelector("main[data-follow]");
  if (!main) return;
  const written = [...main.querySelectorAll("input, textarea")].some(f => f.value !== f.defaultValue);
  const typing = written || (main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"));
  if (!document.hidden && !typing) {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) { location.reload(); return; }
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
        // What is done may need styles and scripts that this page has not got.
        if (fresh && main.dataset.follow === "until-done" && !fresh.matches("[data-follow]")) { location.reload(); return; }
        if (fresh) main.replaceWith(fresh);
      }
    } catch { /* the network is away: asked again below */ }
  }
  setTimeout(follow, PAUSE);
}
setTimeout(follow, PAUSE);
