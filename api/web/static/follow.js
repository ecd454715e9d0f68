// While an answer is on its way, the content is asked for again and replaced; without scripts the page reloads itself.
"use strict";
const PAUSE = 1000;
// How long a screen reader is left alone between two words on how far it is, in milliseconds.
const QUIET = 10000;
let shown = document.querySelector("main")?.innerHTML;
let told = 0;

const reachable = main => [...main.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex]")];
const known = e => [e.tagName, e.getAttribute("href") ?? e.id, e.name ?? "", e.textContent].join("\n");

// What has the focus keeps it, and what was opened stays open, though the elements are new ones.
function put(main, fresh) {
  const focused = document.activeElement;
  const alike = main.contains(focused) ? reachable(main).filter(e => known(e) === known(focused)) : [];
  const opened = [...main.querySelectorAll("details")].map(e => e.open);
  main.replaceWith(fresh);
  fresh.querySelectorAll("details").forEach((e, i) => { e.open = opened[i] ?? e.open; });
  const again = reachable(fresh).filter(e => alike.length && known(e) === known(focused));
  (again[alike.indexOf(focused)] ?? again[0])?.focus({ preventScroll: true });
}

// A live region that is itself replaced says nothing: the one of the page's frame speaks for it.
function tell(fresh) {
  const ended = !fresh.matches("[data-follow]");
  const said = fresh.querySelector("[aria-live], [role=status]")?.textContent.replace(/\s+/g, " ").trim();
  const voice = document.getElementById("told");
  if (!said || !voice || voice.textContent === said || (!ended && Date.now() - told < QUIET)) return;
  told = Date.now();
  voice.textContent = said;
}

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
        if (fresh && (fresh.innerHTML !== shown || !fresh.matches("[data-follow]"))) {
          shown = fresh.innerHTML;
          put(main, fresh);
          tell(fresh);
        }
      }
    } catch { /* the network is away: asked again below */ }
  }
  setTimeout(follow, PAUSE);
}
setTimeout(follow, PAUSE);
