// What the reader sees of a drawing, and how health colours it.

function measure() {
  pane = svg.getBoundingClientRect();
}

// The view: all of the level if that can be read, else the part around what happens.
function look() {
  const { width, height } = levels[drawn.level];
  const fit = Math.min(pane.width / (width + 60), pane.height / (height + 76));
  const scale = Math.min(1.25, Math.max(fit, 0.8));
  const place = boxOfEvent(drawn.level, eventAt(state.position)) ?? selectedBox();
  const target = place === undefined ? null : levels[drawn.level].boxes[place];
  const along = (size, shown, start, middle) =>
    size + 40 <= shown
      ? (size - shown) / 2
      : Math.max(-20, Math.min(size + 20 - shown, middle === null ? start : middle - shown / 2));
  const first = levels[drawn.level].boxes[0];
  view = {
    scale,
    x: along(width, pane.width / scale, 0, target ? target.x + target.w / 2 : first ? first.x + first.w / 2 : null),
    y: along(height, (pane.height - 34) / scale, -20, target ? target.y + target.h / 2 : null),
  };
  applyView();
}

function selectedBox() {
  if (state.selected === null) return undefined;
  return state.selected.kind === "node"
    ? boxOfNode(drawn.level, state.selected.id)
    : boxOfTensor(drawn.level, state.selected.id);
}

function applyView() {
  svg.setAttribute(
    "viewBox",
    [view.x, view.y, pane.width / view.scale, pane.height / view.scale].map((number) => number.toFixed(2)).join(" "),
  );
}

function zoom(factor, clientX, clientY) {
  const [px, py] =
    clientX === undefined ? [pane.width / 2, pane.height / 2] : [clientX - pane.left, clientY - pane.top];
  const scale = Math.max(0.05, Math.min(4, view.scale * factor));
  view = { scale, x: view.x + px / view.scale - px / scale, y: view.y + py / view.scale - py / scale };
  handled = true;
  applyView();
}

function fitAll() {
  const { width, height } = levels[drawn.level];
  const scale = Math.min(2, pane.width / (width + 60), pane.height / (height + 60));
  view = { scale, x: (width - pane.width / scale) / 2, y: (height - pane.height / scale) / 2 };
  handled = true;
  applyView();
}

function showBox(place) {
  const box = levels[drawn.level].boxes[place];
  const seen = { w: pane.width / view.scale, h: pane.height / view.scale };
  if (box.x >= view.x && box.y >= view.y && box.x + box.w <= view.x + seen.w && box.y + box.h <= view.y + seen.h)
    return;
  view = { ...view, x: box.x + box.w / 2 - seen.w / 2, y: box.y + box.h / 2 - seen.h / 2 };
  applyView();
}

// Health: boxes coloured by the gradient that arrives there, or by how much of it is zero.
const STOPS = [
  [136, 152, 224],
  [112, 186, 222],
  [132, 206, 166],
  [226, 218, 124],
  [240, 164, 88],
  [232, 104, 90],
];

function healthOf(nodesHere, pass) {
  let squares = 0,
    zeros = 0,
    size = 0,
    found = false;
  for (const node of nodesHere) {
    const step = stepOfNode[pass]?.get(node);
    for (const entry of step?.arriving ?? []) {
      if (!entry?.stats) continue;
      found = true;
      if (state.health === "norm")
        squares = Math.max(squares, Number.isFinite(Number(entry.stats.norm)) ? Number(entry.stats.norm) : Infinity);
      zeros += entry.stats.zeros * entry.stats.size;
      size += entry.stats.size;
    }
  }
  if (!found) return null;
  return state.health === "norm" ? Math.log10(squares) : size ? zeros / size : 0;
}

const healthRange = passes.map((pass) => {
  const norms = pass.steps
    .flatMap((step) => step.arriving.map((entry) => Number(entry?.stats?.norm)))
    .filter((norm) => norm > 0 && Number.isFinite(norm));
  let low = Infinity,
    high = -Infinity;
  for (const norm of norms) {
    low = Math.min(low, norm);
    high = Math.max(high, norm);
  }
  return norms.length
    ? [Math.floor(Math.log10(low)), Math.max(Math.ceil(Math.log10(high)), Math.floor(Math.log10(low)) + 1)]
    : [0, 1];
});

function heat(share) {
  const at = Math.max(0, Math.min(1, share)) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  return `rgb(${STOPS[low].map((part, i) => Math.round(part + (STOPS[low + 1][i] - part) * (at - low))).join(",")})`;
}

function tint(element, box, place) {
  const body = element.querySelector("rect.body");
  const pass = passAt(state.position);
  const value =
    state.health && pass !== null && box.tensor === undefined ? healthOf(nodesIn(drawn.level, place), pass) : null;
  element.classList.toggle("tinted", value !== null);
  if (value === null) {
    body.style.fill = "";
    element.removeAttribute("data-health");
    return;
  }
  const [low, high] = healthRange[pass];
  body.style.fill =
    value === -Infinity
      ? "#8d939b"
      : value === Infinity
        ? "#d63a8c"
        : heat(state.health === "norm" ? (value - low) / (high - low) : value);
  element.setAttribute("data-health", value);
}
