// What is on the page whoever is logged in: short notes, and the choice of colours.

import { byId, el, setText } from "./dom.js";

const NOTE_MS = 6000;
const THEMES = ["system", "light", "dark"];
const THEME_WORDS = { system: "as the system", light: "light", dark: "dark" };

/** Tell it in a short note, which goes by itself. */
export function tell(text) {
  const note = el("p", {}, text);
  byId("notes").append(note);
  setTimeout(() => note.remove(), NOTE_MS);
}

/** Have the button change the colours, and remember what was chosen; `theme.js` reads that. */
export function offerThemes(button) {
  const show = () => {
    setText(button.querySelector(".unseen"), `Colours: ${THEME_WORDS[theme()]}`);
    button.title = `Colours: ${THEME_WORDS[theme()]}`;
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    localStorage.setItem("runward.theme", next);
    show();
  });
  show();
}

const theme = () => document.documentElement.dataset.theme ?? "system";
