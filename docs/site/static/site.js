// Light or dark: as the system has it, until the reader chooses. Runs before anything is drawn.
const root = document.documentElement;
const remembered = (() => { try { return localStorage.getItem("look"); } catch { return null; } })();
if (remembered) root.style.colorScheme = remembered;

const isDark = () =>
  (root.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("look");
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.hidden = false;
  name();
  button.addEventListener("click", () => {
    root.style.colorScheme = isDark() ? "light" : "dark";
    try { localStorage.setItem("look", root.style.colorScheme); } catch { /* then only for now */ }
    name();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);

  // On a small screen the list of pages is closed at first.
  if (matchMedia("(max-width: 60rem)").matches)
    document.querySelector(".lessons details")?.removeAttribute("open");

  // Whoever has no mouse scrolls what is wider than the page with the keyboard.
  const reach = () => {
    for (const box of document.querySelectorAll("main :is(pre, figure, p), .wide"))
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
  };
  reach();
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
});

// On paper nothing is folded.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const fold of closed) fold.open = true;
});
addEventListener("afterprint", () => { for (const fold of closed) fold.open = false; });
