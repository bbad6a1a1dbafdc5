// Makes and fills elements. The only way here to put text on the page is as text: nothing becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id, which is in the page. */
export const byId = (id) => document.getElementById(id);

/** A new element. Attributes that are null or false are left out; `on…` are listeners; children are nodes or text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** One of the page's own drawings, for the eye only. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

/** Show this text; does nothing where it is shown already. */
export function setText(node, text) {
  if (node.shown !== text) {
    node.shown = text;
    node.textContent = text;
  }
}

/** Set an attribute, or take it away (null); does nothing where it is so already. */
export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** A state, told by shape, colour and word. `set(status)` changes it. */
export function stateMark() {
  const drawing = icon("s-queued");
  const word = el("span");
  const node = el("span", { class: "mark" }, drawing, word);
  return {
    node,
    set(status, told) {
      if (node.dataset.status !== status) {
        node.dataset.status = status;
        drawing.firstChild.setAttribute("href", `#s-${status}`);
      }
      setText(word, told);
    },
  };
}

/** A line that shows numbers over time. `draw(numbers)`; a change of less than `least` is drawn flat. */
export function sparkline(width, height, least) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "polyline");
  svg.append(line);
  return {
    node: svg,
    draw(numbers) {
      const points = linePoints(numbers, width, height, least);
      setAttribute(line, "points", points);
    },
  };
}

function linePoints(numbers, width, height, least) {
  if (numbers.length < 2) return "";
  const low = Math.min(...numbers);
  const range = Math.max(Math.max(...numbers) - low, least, 1e-9);
  const step = width / (numbers.length - 1);
  return numbers
    .map((number, n) => `${(n * step).toFixed(1)},${(height - 1.5 - ((number - low) / range) * (height - 3)).toFixed(1)}`)
    .join(" ");
}
