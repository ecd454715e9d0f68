// Polls a page with data-follow and replaces its main element when it changed; without scripts the page reloads itself.
"use strict";
const POLL_INTERVAL_MS = 1000;
// Minimum time between two progress announcements to screen readers.
const ANNOUNCEMENT_INTERVAL_MS = 10000;
let currentHtml = document.querySelector("main")?.innerHTML;
let lastAnnouncedAt = 0;

const focusableElements = main => [...main.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex]")];
const identity = e => [e.tagName, e.getAttribute("href") ?? e.id, e.name ?? "", e.textContent].join("\n");

// Replaces the main element and restores the focus and the open details elements.
function replaceMain(main, newMain) {
  const focused = document.activeElement;
  const sameIdentity = main.contains(focused) ? focusableElements(main).filter(e => identity(e) === identity(focused)) : [];
  const wasOpen = [...main.querySelectorAll("details")].map(e => e.open);
  main.replaceWith(newMain);
  newMain.querySelectorAll("details").forEach((e, i) => { e.open = wasOpen[i] ?? e.open; });
  const candidates = focusableElements(newMain).filter(e => sameIdentity.length && identity(e) === identity(focused));
  (candidates[sameIdentity.indexOf(focused)] ?? candidates[0])?.focus({ preventScroll: true });
}

// Screen readers ignore a live region that is replaced, so its text is copied to the permanent one outside main.
function announce(newMain) {
  const isFinished = !newMain.matches("[data-follow]");
  const text = newMain.querySelector("[aria-live], [role=status]")?.textContent.replace(/\s+/g, " ").trim();
  const liveRegion = document.getElementById("told");
  if (!text || !liveRegion || liveRegion.textContent === text || (!isFinished && Date.now() - lastAnnouncedAt < ANNOUNCEMENT_INTERVAL_MS)) return;
  lastAnnouncedAt = Date.now();
  liveRegion.textContent = text;
}

async function follow() {
  const main = document.querySelector("main[data-follow]");
  if (!main) return;
  const isEdited = [...main.querySelectorAll("input, textarea")].some(f => f.value !== f.defaultValue);
  const isTyping = isEdited || (main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"));
  if (!document.hidden && !isTyping) {
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (response.redirected) { location.reload(); return; }
      if (response.ok) {
        const newMain = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
        // The finished page may need styles and scripts that this page did not load.
        if (newMain && main.dataset.follow === "until-done" && !newMain.matches("[data-follow]")) { location.reload(); return; }
        if (newMain && (newMain.innerHTML !== currentHtml || !newMain.matches("[data-follow]"))) {
          currentHtml = newMain.innerHTML;
          replaceMain(main, newMain);
          announce(newMain);
        }
      }
    } catch { /* network error: retried below */ }
  }
  setTimeout(follow, POLL_INTERVAL_MS);
}
setTimeout(follow, POLL_INTERVAL_MS);
