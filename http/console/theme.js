// Sets the colours before anything is drawn. A classic script, since modules come later.
"use strict";
(() => {
  const chosen = localStorage.getItem("runward.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
