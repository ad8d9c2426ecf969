// The page as a whole: one state, which the address holds too; every change goes through `update`.

const state = { position: 0, level: 0, selected: null, follow: true, health: null, palette: "green", theme: "system" };

function update(changes) {
  Object.assign(state, changes);
  if (state.follow && ("position" in changes || changes.follow)) state.level = levelOfEvent(eventAt(state.position));
  if ("position" in changes || "level" in changes) handled = false;
  render();
  writeAddress();
}

// Browsers refuse more than some ten changes of the address a second: of a quick series, the last one is written.
let addressTimer = null;

function writeAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => history.replaceState(null, "", addressOf(state)), 120);
}

function render() {
  document.body.dataset.position = state.position;
  document.body.dataset.level = levels[state.level]?.key ?? "";
  paintTheme();
  if (levels.length) {
    drawLevel(state.level);
    paintState();
  }
  paintCrumbs();
  paintLegend();
  paintTimeline();
  paintCard();
}

function addressOf({ position, level, selected, follow, health, palette, theme }) {
  const parts = [`position=${position}`, `level=${encodeURIComponent(levels[level]?.key ?? "top")}`];
  if (selected) parts.push(`${selected.kind}=${selected.id}`);
  if (!follow) parts.push("follow=no");
  if (health) parts.push(`health=${health}`);
  if (palette !== "green") parts.push(`palette=${palette}`);
  if (theme !== "system") parts.push(`theme=${theme}`);
  return `#${parts.join("&")}`;
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const number = (name, most) => {
    const value = given.has(name) ? Number(given.get(name)) : NaN;
    return Number.isInteger(value) && value >= 0 && value <= most ? value : null;
  };
  const node = number("node", nodes.length - 1),
    tensor = number("tensor", tensors.length - 1);
  const follow = given.get("follow") !== "no";
  const position = number("position", timeline.length) ?? 0;
  return {
    position,
    follow,
    level: follow ? levelOfEvent(eventAt(position)) : (levelOfKey.get(given.get("level")) ?? 0),
    selected: node !== null ? { kind: "node", id: node } : tensor !== null ? { kind: "tensor", id: tensor } : null,
    health: given.get("health") === "zeros" ? "zeros" : ["norm", "1", "yes"].includes(given.get("health")) ? "norm" : null,
    palette: given.get("palette") in PALETTES ? given.get("palette") : "green",
    theme: ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : "system",
  };
}

function enter(level) {
  update({ level, follow: false, selected: null });
  svg.querySelector(".box")?.focus({ preventScroll: true });
}

function choose(thing) {
  goToThing(thing);
}

// What a box or a chip does when it is clicked, or Enter is pressed on it.
function press(element) {
  const { level, node } = element.dataset;
  const again = state.selected?.kind === "node" && state.selected.id === Number(node);
  if (level !== undefined && (node === undefined || again)) enter(Number(level));
  else if (node !== undefined) update({ selected: { kind: "node", id: Number(node) } });
  else update({ selected: { kind: "tensor", id: Number(element.dataset.tensor) } });
}

function paintCrumbs() {
  const path = levels.length ? pathTo(state.level) : [];
  document.getElementById("crumbs").replaceChildren(
    ...path.flatMap((level, place) => {
      const here = place === path.length - 1;
      const button = make(
        "button",
        {
          type: "button",
          "data-level": level.id,
          "data-call": level.key.startsWith("call-") ? level.call : level.parent === null ? "" : undefined,
          "aria-current": here ? "true" : undefined,
          onclick: () => !here && enter(level.id),
        },
        level.parent === null ? "Program" : level.title,
      );
      return place ? [make("span", { "aria-hidden": "true" }, "›"), button] : [button];
    }),
  );
}

function paintLegend() {
  const legend = document.getElementById("legend");
  const pass = passAt(state.position);
  document.getElementById("health").setAttribute("aria-pressed", String(state.health !== null));
  if (state.health && pass !== null) {
    const [low, high] = healthRange[pass];
    const scale = make("span", { class: "scale" });
    scale.style.background = `linear-gradient(90deg, ${STOPS.map((stop) => `rgb(${stop.join(",")})`).join(", ")})`;
    const measure = make(
      "select",
      {
        id: "health-measure",
        "aria-label": "What the colours say",
        onchange: (event) => update({ health: event.target.value }),
      },
      ...[
        ["norm", "norm of the arriving gradient"],
        ["zeros", "share of zeros in it"],
      ].map(([value, words]) => make("option", { value, selected: value === state.health }, words)),
    );
    legend.replaceChildren(
      measure,
      "  ",
      state.health === "norm" ? `1e${low}` : "0 %",
      scale,
      state.health === "norm" ? `1e${high}` : "100 %, normal behind ReLU and max pooling",
    );
    return;
  }
  const key = (words, fill, line, dashes) => {
    const swatch = make("i", {});
    Object.assign(swatch.style, { background: fill, borderColor: line, borderStyle: dashes ? "dashed" : "solid" });
    return make("span", { class: "key" }, swatch, words);
  };
  const kinds = new Set(levels[state.level]?.boxes.map((box) => box.kind));
  legend.replaceChildren(
    ...[
      kinds.has("module") || kinds.has("row") || kinds.has("repetition")
        ? key("opens", "var(--module)", "var(--box-line)")
        : null,
      key("operation", "var(--box)", "var(--box-line)"),
      levels[state.level]?.boxes.some((box) => box.chips?.length)
        ? key("parameter", "var(--parameter)", "var(--parameter-line)")
        : null,
      kinds.has("tensor") ? key("input, result", "var(--input)", "var(--input-line)") : null,
      kinds.has("port") ? key("from or to outside", "none", "var(--box-line)", true) : null,
    ].filter(Boolean),
  );
}

function nextHealth() {
  if (passes.length) update({ health: { null: "norm", norm: "zeros", zeros: null }[state.health] });
}

const darkSystem = matchMedia("(prefers-color-scheme: dark)");

let themePainted = "";

function paintTheme() {
  const dark = state.theme === "dark" || (state.theme === "system" && darkSystem.matches);
  if (themePainted === `${state.theme} ${dark} ${state.palette}`) return;
  themePainted = `${state.theme} ${dark} ${state.palette}`;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.getElementById("theme").textContent = { system: "Auto", light: "Light", dark: "Dark" }[state.theme];
  const { positive, negative, words } = PALETTES[state.palette];
  const button = document.getElementById("palette");
  button.setAttribute("aria-pressed", String(state.palette === "blue"));
  button.setAttribute("aria-label", `Palette: ${words}`);
  button.replaceChildren(
    ...[negative, [255, 255, 255], positive].map((end) => {
      const swatch = make("i", {});
      swatch.style.background = `rgb(${end.join(",")})`;
      return swatch;
    }),
  );
}

function setUpDrawing() {
  svg.addEventListener("click", (event) => {
    const thing = event.target.closest(".chip") ?? event.target.closest(".box");
    if (thing && !dragged) press(thing);
  });
  svg.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), event.clientX, event.clientY);
    },
    { passive: false },
  );
  let dragged = false,
    start = null;
  svg.addEventListener("pointerdown", (event) => {
    dragged = false;
    if (event.button === 0) start = { x: event.clientX, y: event.clientY, view };
  });
  addEventListener("pointermove", (event) => {
    if (!start || !(event.buttons & 1)) return;
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    if (Math.hypot(dx, dy) < 5 && !dragged) return;
    dragged = handled = true;
    svg.classList.add("dragging");
    view = { ...start.view, x: start.view.x - dx / view.scale, y: start.view.y - dy / view.scale };
    applyView();
  });
  addEventListener("pointerup", () => {
    start = null;
    svg.classList.remove("dragging");
  });
  svg.addEventListener("focusin", (event) => {
    const box = event.target.closest(".box");
    if (box && event.target.matches(":focus-visible")) showBox(Number(box.dataset.box));
  });
  for (const [id, act] of [
    ["zoom-in", () => zoom(1.25)],
    ["zoom-out", () => zoom(0.8)],
    ["zoom-fit", fitAll],
  ])
    document.getElementById(id).addEventListener("click", act);
  measure();
  new ResizeObserver(() => {
    measure();
    if (drawn) (handled ? applyView : look)();
  }).observe(svg);
}

function setUp() {
  document.getElementById("title").textContent = recorded.title;
  setUpTimeline();
  setUpKeys();
  setUpSearch();
  setUpProblems();
  setUpError();
  setUpHelp();
  setUpDrawing();
  const themes = ["system", "light", "dark"];
  document.getElementById("health").addEventListener("click", nextHealth);
  document.getElementById("health").disabled = !passes.length;
  document
    .getElementById("palette")
    .addEventListener("click", () => update({ palette: state.palette === "green" ? "blue" : "green" }));
  document
    .getElementById("theme")
    .addEventListener("click", () => update({ theme: themes[(themes.indexOf(state.theme) + 1) % 3] }));
  darkSystem.addEventListener("change", () => render());
  addEventListener("hashchange", () => {
    handled = false;
    Object.assign(state, readAddress());
    render();
  });
  Object.assign(state, readAddress());
  render();
  document.documentElement.dataset.ready = "true";
}

setUp();
