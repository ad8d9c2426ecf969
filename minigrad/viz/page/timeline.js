// The bar at the bottom: places in time, playing, and what the keys do.

const scrub = document.getElementById("scrub");
let player = null;

const ICONS = {
  "to-start": "M3 3h2v10H3zM13 3v10L6 8z", "step-back": "M11 3v10L4 8z", play: "M4 3v10l9-5z", pause: "M4 3h3v10H4zM9 3h3v10H9z", "step-forward": "M5 3v10l7-5z", "to-end": "M11 3h2v10h-2zM3 3v10l7-5z",
};

function icon(name) {
  return draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, draw("path", { d: ICONS[name] }));
}

function goTo(position) {
  update({ position: Math.max(0, Math.min(timeline.length, position)) });
}

function setPlaying(on) {
  clearInterval(player);
  player = on ? setInterval(() => {
    goTo(state.position + 1);
    if (state.position >= timeline.length) setPlaying(false);
  }, Number(document.getElementById("speed").value)) : null;
  const button = document.getElementById("play");
  button.replaceChildren(icon(on ? "pause" : "play"));
  button.setAttribute("aria-label", on ? "Pause" : "Play");
}

function togglePlaying() {
  if (player === null && state.position >= timeline.length) goTo(0);
  setPlaying(player === null);
}

function setUpTimeline() {
  const actions = {
    "to-start": () => goTo(0), "step-back": () => goTo(state.position - 1), "step-forward": () => goTo(state.position + 1), "to-end": () => goTo(timeline.length),
    "to-backward": () => firstBackward() && goTo(firstBackward()), play: togglePlaying,
  };
  for (const [id, act] of Object.entries(actions)) {
    const button = document.getElementById(id);
    if (ICONS[id]) button.append(icon(id));
    button.addEventListener("click", () => {
      if (id !== "play") setPlaying(false);
      act();
    });
  }
  document.getElementById("to-backward").disabled = firstBackward() === null;
  document.getElementById("speed").addEventListener("change", () => player !== null && setPlaying(true));
  document.getElementById("follow").addEventListener("click", () => update({ follow: !state.follow }));
  scrub.max = timeline.length;
  scrub.addEventListener("input", () => { setPlaying(false); goTo(Number(scrub.value)); });
  const stripes = [];
  timeline.forEach(([phase], place) => {
    const last = stripes.at(-1);
    if (last?.phase === phase) last.count += 1;
    else stripes.push({ phase, start: place, count: 1 });
  });
  const phases = document.getElementById("phases");
  phases.setAttribute("viewBox", `0 0 ${Math.max(timeline.length, 1)} 1`);
  phases.append(...stripes.map(({ phase, start, count }) => draw("rect", { class: phase, x: start, y: 0, width: count, height: 1 })), draw("rect", { class: "rest", y: 0, height: 1 }));
}

function paintTimeline() {
  const event = eventAt(state.position);
  scrub.value = state.position;
  const rest = document.querySelector("#phases .rest");
  rest.setAttribute("x", state.position);
  rest.setAttribute("width", timeline.length - state.position);
  const moment = document.getElementById("moment");
  const what = event === null ? "before the first operation" : event.node !== null ? nameOfNode(nodes[event.node]) : nameOfTensor(event.leaf);
  const phase = event === null ? "" : event.phase === "forward" ? "forward " : passes.length > 1 ? `backward ${event.pass + 1} ` : "backward ";
  moment.replaceChildren(`${state.position} / ${timeline.length} · ${phase}`, make("b", {}, what));
  scrub.setAttribute("aria-valuetext", moment.textContent);
  document.getElementById("follow").setAttribute("aria-pressed", String(state.follow));
  document.getElementById("step-back").disabled = document.getElementById("to-start").disabled = state.position === 0;
  document.getElementById("step-forward").disabled = document.getElementById("to-end").disabled = state.position === timeline.length;
  const place = boxOfEvent(state.level, event);
  const elsewhere = document.getElementById("elsewhere");
  elsewhere.hidden = event === null || place !== undefined;
  if (!elsewhere.hidden) {
    const where = levels[levelOfEvent(event)];
    elsewhere.replaceChildren(`This step is in ${where.parent === null ? "the outermost level" : where.title}`, make("button", { type: "button", onclick: () => update({ follow: true }) }, "Go there"));
  }
}

const KEYS = {
  ArrowLeft: () => goTo(state.position - 1), ArrowRight: () => goTo(state.position + 1), Home: () => goTo(0), End: () => goTo(timeline.length),
  b: () => firstBackward() && goTo(firstBackward()), " ": togglePlaying, f: () => update({ follow: !state.follow }), h: () => nextHealth(), "?": () => showHelp(),
  "/": () => document.getElementById("search").focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => fitAll(),
  Escape: () => (state.selected === null ? goUp() : update({ selected: null })), Backspace: goUp,
};

function goUp() {
  const parent = levels[state.level].parent;
  if (parent !== null) enter(parent);
}

function setUpKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const target = event.target;
    if (target.matches("input[type=search], select, textarea")) return;
    if ((event.key === " " || event.key === "Enter") && target.closest("button")) return;
    if (event.key === "Enter" || event.key === " ") {
      const box = target.closest?.("#drawing .chip, #drawing .box");
      if (box) {
        event.preventDefault();
        press(box);
        return;
      }
    }
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") setPlaying(false);
    act();
  });
}
