// Finding things: the search, the list of what needs attention, and the help.

const searchable = (() => {
  const found = [];
  calls.forEach(
    (call, id) =>
      levelOfCall.has(id) &&
      found.push({ text: call.path || call.name || call.kind, note: call.kind, go: () => goToCall(id) }),
  );
  tensors.forEach(
    (tensor, id) =>
      tensor.name &&
      found.push({
        text: tensor.name,
        note: `${tensor.role} ${shapeOf(tensor)}`,
        go: () => goToThing({ kind: "tensor", id }),
      }),
  );
  nodes.forEach(
    (node, id) =>
      homeOfNode[id] &&
      found.push({
        text: nameOfNode(node),
        note: pathOfNode(node) || `operation ${id + 1}`,
        go: () => goToThing({ kind: "node", id }),
      }),
  );
  return found;
})();

function goToCall(id) {
  const level = levels[levelOfCall.get(id)];
  if (level.call === id && level.key.startsWith("call-")) enter(level.id);
  else goToThing({ kind: "node", id: level.boxes.find((box) => box.kind === "operation" && box.call === id).node });
}

// Show a thing where it is drawn, and pin it in the card.
function goToThing(thing) {
  const home = homeOf(thing);
  update({ selected: thing, ...(home && home[0] !== state.level ? { level: home[0], follow: false } : {}) });
  if (home) showBox(home[1]);
}

const search = document.getElementById("search");
const results = document.getElementById("results");
let matches = [],
  marked = 0;

function paintResults() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  matches = words.length
    ? searchable.filter(({ text, note }) => words.every((word) => `${text} ${note}`.toLowerCase().includes(word)))
    : [];
  const rank = ({ text }) =>
    text.toLowerCase() === words.join(" ") ? 0 : text.toLowerCase().startsWith(words[0]) ? 1 : 2;
  matches = matches
    .map((match, place) => [rank(match), place, match])
    .sort((one, other) => one[0] - other[0] || one[1] - other[1])
    .slice(0, 40)
    .map(([, , match]) => match);
  marked = Math.min(marked, Math.max(matches.length - 1, 0));
  results.replaceChildren(
    ...matches.map((match, place) =>
      make(
        "li",
        {
          role: "option",
          id: `result-${place}`,
          "aria-selected": String(place === marked),
          onpointerdown: (event) => {
            event.preventDefault();
            take(match);
          },
        },
        make("span", {}, match.text),
        make("small", {}, match.note),
      ),
    ),
    ...(words.length && !matches.length ? [make("li", {}, "nothing found")] : []),
  );
  results.hidden = !words.length;
  search.setAttribute("aria-expanded", String(!results.hidden));
  if (matches.length) search.setAttribute("aria-activedescendant", `result-${marked}`);
  else search.removeAttribute("aria-activedescendant");
  results.children[marked]?.scrollIntoView({ block: "nearest" });
}

function take(match) {
  search.value = "";
  paintResults();
  search.blur();
  match.go();
}

function setUpSearch() {
  search.addEventListener("input", () => {
    marked = 0;
    paintResults();
  });
  search.addEventListener("blur", () => {
    results.hidden = true;
  });
  search.addEventListener("focus", paintResults);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      marked = Math.max(0, Math.min(matches.length - 1, marked + (event.key === "ArrowDown" ? 1 : -1)));
      paintResults();
    } else if (event.key === "Enter" && matches[marked]) take(matches[marked]);
    else if (event.key === "Escape") {
      search.value = "";
      search.blur();
    }
  });
}

function whereItFailed() {
  const { node = null, call = null } = recorded.error;
  const around = node === null ? call : nodes[node].call;
  const path = around === null ? "" : wholePathOfCall(around);
  if (node === null) return path;
  return path ? `${nodes[node].name} in ${path}` : nodes[node].name;
}

// What needs attention: an error, the first NaN, derivatives that disagree, gradients that vanish or explode, parameters
// without a gradient; where the program failed before a backward pass, that these have none is no finding.
function problemsFound() {
  const found = [];
  if (recorded.error) {
    const { type, node = null, call = null, pass = null } = recorded.error;
    found.push({
      text: `${type}: ${whereItFailed() || "the program stopped"}`,
      note: pass === null ? "error" : "error in the backward pass",
      go: () => {
        if (node !== null) goToThing({ kind: "node", id: node });
        else if (call !== null && levelOfCall.has(call)) goToCall(call);
        else goTo(timeline.length);
      },
    });
  }
  if (firstNonfinite) {
    const thing = { kind: "node", id: firstNonfinite.node };
    found.push({
      text: `First NaN or infinity: ${nameOfNode(nodes[firstNonfinite.node])}`,
      note: firstNonfinite.phase,
      go: () => {
        goTo(firstNonfinite.position);
        goToThing(thing);
      },
    });
  }
  passes.forEach((pass, id) =>
    pass.steps.forEach((step) => {
      if (step.check?.state === "disagrees")
        found.push({
          text: `${nameOfNode(nodes[step.node])}: derivative disagrees with finite differences`,
          note: "check",
          go: () => goTo(stepAt[id][step.index]),
        });
    }),
  );
  passes.forEach((pass, id) => {
    const trend = trendOverDepth(id);
    if (trend)
      found.push({
        text: `Gradients ${trend.kind} with depth: norm ${written(trend.from, 3)} at the first operation, ${written(trend.to, 3)} at ${nameOfNode(nodes[trend.step.node])}`,
        note: passes.length > 1 ? `pass ${id + 1}` : "norm",
        go: () => update({ position: stepAt[id][trend.step.index], selected: null, health: "norm" }),
      });
  });
  const failedBefore = recorded.error !== null && !passes.length;
  tensors.forEach((tensor, id) => {
    if (failedBefore && ["not_run", "unused"].includes(tensor.why?.cause)) return;
    if (tensor.why && tensor.role === "parameter")
      found.push({
        text: `${nameOfTensor(id)} has ${tensor.why.state === "zero" ? "a gradient of zeros" : "no gradient"}`,
        note: tensor.why.cause.replaceAll("_", " "),
        go: () => goToThing({ kind: "tensor", id }),
      });
  });
  return found;
}

function setUpProblems() {
  const found = problemsFound();
  const button = document.getElementById("problems"),
    list = document.getElementById("problem-list");
  button.hidden = !found.length;
  button.textContent = `${found.length} to look at`;
  const open = (on) => {
    list.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
  };
  button.addEventListener("click", () => open(list.hidden));
  list.append(
    ...found.map((problem) =>
      make(
        "li",
        {},
        make(
          "button",
          {
            type: "button",
            onclick: () => {
              open(false);
              problem.go();
            },
          },
          make("span", {}, problem.text),
          make("small", {}, problem.note),
        ),
      ),
    ),
  );
  addEventListener("pointerdown", (event) => !event.target.closest("#problems, #problem-list") && open(false));
  list.addEventListener(
    "keydown",
    (event) => event.key === "Escape" && (event.preventDefault(), open(false), button.focus()),
  );
}

function setUpError() {
  const failed = recorded.error;
  if (!failed) return;
  const banner = document.getElementById("error-banner");
  banner.hidden = false;
  const where = whereItFailed();
  banner.append(
    make("b", {}, failed.type),
    where ? ` in ${where}` : "",
    failed.line ? ` at ${failed.line}` : "",
    ". The graph ends where the program stopped.",
  );
  if (failed.node !== null && failed.node !== undefined)
    banner.append(
      make("button", { type: "button", onclick: () => goToThing({ kind: "node", id: failed.node }) }, "Show"),
    );
  banner.append(make("pre", {}, failed.message));
}

const HELP = [
  [
    "Time",
    [
      ["→  ←", "one step on, one step back"],
      ["Home  End", "to the start, to the end"],
      ["b", "to the first step of the backward pass"],
      ["space", "play, pause"],
    ],
  ],
  [
    "Place",
    [
      ["Tab", "from box to box"],
      ["Enter", "open the box: enter a module, pin an operation or a parameter in the card"],
      ["Escape", "let go of what is pinned, then one level up (also Backspace)"],
      ["f", "follow the current step into its level"],
      ["+  −  0", "larger, smaller, show all; the wheel and dragging work too"],
    ],
  ],
  [
    "Seeing",
    [
      ["/", "find an operation, a module, a parameter"],
      ["h", "health: colour by gradient norm, by share of zeros, off"],
      ["?", "this help"],
    ],
  ],
];

function showHelp() {
  document.getElementById("help-dialog").showModal();
}

function setUpHelp() {
  const dialog = document.getElementById("help-dialog");
  dialog.append(
    make("h2", { id: "help-title" }, "Walk through a backward pass"),
    make(
      "p",
      {},
      "The bar at the bottom is time: first the operations as they ran, then the backward pass in the engine's own order. The drawing shows one level of modules at a time; the card at the right shows what the current step computes.",
    ),
    ...HELP.flatMap(([title, keys]) => [
      make("h3", {}, title),
      make(
        "table",
        {},
        ...keys.map(([key, words]) =>
          make(
            "tr",
            {},
            make("td", {}, ...key.split("  ").flatMap((one, i) => [i ? " " : "", make("kbd", {}, one)])),
            make("td", {}, words),
          ),
        ),
      ),
    ]),
    make("h3", {}, "Signs"),
    make(
      "p",
      {},
      "∅ no gradient · dashed red: where the path of a gradient is cut · ! an error, the first NaN, or a derivative that finite differences contradict. In pictures, white is zero. Many zeros are normal behind ReLU and max pooling, which pass on nothing of what they leave out.",
    ),
    make("p", {}, make("button", { type: "button", onclick: () => dialog.close() }, "Close")),
  );
  document.getElementById("help").addEventListener("click", showHelp);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
