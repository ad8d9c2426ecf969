// The inspector: what the current step, or what the reader chose, is and does, section by section.

const card = document.getElementById("card");
let scrolled = 0; // kept here, because asking the card makes the browser lay the page out
card.addEventListener(
  "scroll",
  () => {
    scrolled = card.scrollTop;
  },
  { passive: true },
);

function section(name, title, ...content) {
  const parts = content.filter((part) => part !== null && part !== undefined && part !== false);
  return parts.length ? make("section", { "data-section": name }, make("h3", {}, ...[title].flat()), ...parts) : null;
}

function paintCard() {
  readout(null);
  unpainted = [];
  const event = eventAt(state.position);
  const chosen = state.selected;
  let parts;
  if (chosen === null)
    parts = event === null ? overviewCard() : event.node !== null ? nodeCard(event.node, event) : leafCard(event);
  else if (chosen.kind === "node") parts = nodeCard(chosen.id, stepShownOf(chosen.id, event));
  else parts = tensorCard(chosen.id);
  card.replaceChildren(...parts.filter(Boolean));
  const shown = JSON.stringify([chosen, chosen === null ? event?.node : null]);
  if (scrolled) card.scrollTop = card.dataset.shown === shown ? scrolled : 0;
  card.dataset.shown = shown;
}

// For an operation that the reader chose: its own step backward, once the pass in progress has come to it.
function stepShownOf(node, event) {
  if (event?.node === node) return event;
  const pass = event?.phase === "backward" ? event.pass : null;
  const step = pass === null ? undefined : stepOfNode[pass].get(node);
  return step
    ? eventAt(stepAt[pass][step.index])
    : { phase: "forward", position: ranAt[node], node, pass: null, step: null, leaf: null };
}

function head(phase, words, title, place) {
  const pinned =
    state.selected !== null &&
    make(
      "button",
      {
        type: "button",
        id: "unpin",
        title: "Follow the steps again (Escape)",
        onclick: () => update({ selected: null }),
      },
      "unpin ✕",
    );
  return make(
    "header",
    {},
    make("div", { class: `phase ${phase}` }, make("span", {}, words), pinned || null),
    make("h2", {}, title),
    place && make("div", { class: "place" }, ...[place].flat()),
  );
}

function wordsOf(event) {
  if (event.phase === "forward") {
    const count = timeline.filter(([phase]) => phase === "forward").length;
    return `Forward · operation ${event.node + 1} of ${count}`;
  }
  const pass = passes.length > 1 ? ` ${event.pass + 1}` : "";
  return `Backward pass${pass} · step ${event.step.index + 1} of ${passes[event.pass].steps.length}`;
}

function tensorLink(id, text = nameOfTensor(id)) {
  return make(
    "button",
    { type: "button", class: "link", "data-tensor-link": id, onclick: () => choose({ kind: "tensor", id }) },
    text,
  );
}

function nodeLink(id, text = nameOfNode(nodes[id])) {
  return make(
    "button",
    { type: "button", class: "link", "data-node-link": id, onclick: () => choose({ kind: "node", id }) },
    text,
  );
}

// One tensor or gradient: name, shape, what is remarkable, numbers, picture.
function flow(kind, { tensor, name, shape, stats, data, tags = [], what }) {
  const label = tensor !== null && tensor !== undefined ? tensorLink(tensor, name) : make("b", {}, name);
  return make(
    "div",
    { class: `flow ${kind}`, "data-flow-tensor": tensor },
    make("div", { class: "name" }, label, make("span", { class: "mono soft" }, shapeOf(shape))),
    tags.length ? make("div", {}, ...tags) : null,
    stats ? statsLine(stats) : make("div", { class: "stats soft" }, what === "gradient" ? "None" : "not recorded"),
    picture(data, shape.shape, tensor ?? undefined, what),
  );
}

function tag(text, kind = "") {
  return make("span", { class: `tag ${kind}` }, text);
}

function inputName(node, place) {
  return node.input_names?.[place] ?? (node.inputs.length > 1 ? `input ${place + 1}` : "input");
}

function nodeCard(id, event) {
  const node = nodes[id];
  const backward = event.phase === "backward";
  const place = [pathOfNode(node), node.line].filter(Boolean).join(" · ");
  const parts = [head(event.phase, wordsOf(event), nameOfNode(node), place)];
  if (recorded.error && recorded.error.node === id)
    parts.push(
      section(
        "error",
        "The program stopped here",
        make("p", { class: "alarm" }, `${recorded.error.type}: ${recorded.error.message}`),
      ),
    );
  parts.push(formulaSection(node, backward));
  if (backward) {
    parts.push(
      arrivingSection(node, event),
      leavingSection(node, event),
      ledgerSection(event),
      localSection(event),
      checkSection(event.step.check),
    );
  }
  parts.push(lensSection(node, event), settingsSection(node), savedSection(node), valuesSection(node, !backward));
  parts.push(whySection([...node.inputs, ...node.outputs]), sourceSection(node));
  return parts;
}

function leafCard(event) {
  const id = event.leaf;
  const entry = event.step.arriving.find(Boolean);
  return [
    head(
      "backward",
      wordsOf(event),
      nameOfTensor(id),
      `${tensors[id].role} · ${shapeOf(tensors[id])}: its gradient is complete and is added to .grad`,
    ),
    section(
      "arriving",
      "Gradient arriving",
      entry
        ? flow("arriving", {
            tensor: id,
            name: `d ${nameOfTensor(id)}`,
            shape: tensors[id],
            stats: entry.stats,
            data: entry.data,
            what: "gradient",
          })
        : null,
    ),
    ledgerSection(event),
    valueSection(id),
    whySection([id]),
  ];
}

function valueSection(id) {
  const { stats, data } = tensors[id];
  const name = nameOfTensor(id);
  return section("values", "Value", flow("value", { tensor: id, name, shape: tensors[id], stats, data, what: "value" }));
}

function tensorCard(id) {
  const tensor = tensors[id];
  const maker = tensor.node === null ? null : nodes[tensor.node];
  const place = maker ? ["made by ", nodeLink(maker.id)] : tensor.role;
  const users = [...new Set(tensor.users.map(([node]) => node))];
  const pass = passAt(state.position);
  return [
    head("", maker ? "Tensor" : tensor.role[0].toUpperCase() + tensor.role.slice(1), nameOfTensor(id), place),
    section(
      "about",
      "About",
      make(
        "table",
        { class: "facts" },
        ...[
          ["shape", shapeOf(tensor)],
          ["dtype", tensor.dtype],
          ...(stateOfParameter.has(id)
            ? [["state", `${stateOfParameter.get(id).join(" of ")}: it was changed in between`]]
            : []),
          ["requires grad", tensor.requires_grad ? "yes" : "no"],
          ["leaf", tensor.is_leaf ? "yes" : "no"],
        ].map(([name, text]) => make("tr", {}, make("th", {}, name), make("td", { class: "mono" }, text))),
      ),
      users.length
        ? make(
            "p",
            { class: "small" },
            make("span", { class: "soft" }, "used by "),
            ...users.slice(0, 8).flatMap((node, i) => [i ? ", " : "", nodeLink(node)]),
            users.length > 8 ? ` and ${users.length - 8} more` : "",
          )
        : null,
    ),
    whySection([id]),
    valueSection(id),
    tensor.grad
      ? section(
          "gradient",
          "Gradient",
          flow("arriving", {
            tensor: id,
            name: `d ${nameOfTensor(id)}`,
            shape: tensor,
            stats: tensor.grad.stats,
            data: tensor.grad.data,
            what: "gradient",
          }),
        )
      : null,
    pass === null ? null : ledgerOfTensor(pass, id, state.position),
  ];
}

function overviewCard() {
  const level = levels[state.level];
  const call = level.call === null ? null : calls[level.call];
  const inside = new Set(level.boxes.flatMap((_, place) => nodesIn(level.id, place)));
  const parameters = [
    ...new Set(
      [...inside].flatMap((node) => nodes[node].inputs.filter((id) => id !== null && tensors[id].role === "parameter")),
    ),
  ];
  const steps = passes.reduce((sum, pass) => sum + pass.steps.length, 0);
  const rows = parameters
    .slice(0, 200)
    .map((id) =>
      make(
        "tr",
        {},
        make("td", {}, tensorLink(id)),
        make("td", { class: "mono soft" }, shapeOf(tensors[id])),
        passes.length > 1
          ? make("td", { class: "small soft", "data-passes": "" }, passesThatReached(id).map((pass) => `pass ${pass}`).join(", "))
          : null,
        make(
          "td",
          { class: `mono ${tensors[id].grad ? "" : "alarm"}`, title: "norm of the gradient" },
          tensors[id].grad ? written(tensors[id].grad.stats.norm, 4) : "∅",
        ),
      ),
    );
  return [
    head(
      "",
      level.parent === null ? "Recorded" : "Level",
      level.parent === null ? recorded.title : level.title,
      call ? `${call.path || call.kind}${call.settings ? ` · ${call.settings}` : ""}` : "",
    ),
    section(
      "about",
      "What is here",
      make(
        "table",
        { class: "facts" },
        ...[
          ["operations", inside.size],
          ["parameters", new Set(parameters.map((id) => tensors[id].name || id)).size],
          ["steps forward", timeline.length - steps],
          ["steps backward", steps],
        ].map(([name, count]) => make("tr", {}, make("th", {}, name), make("td", { class: "mono" }, String(count)))),
      ),
      make(
        "p",
        {},
        "Press ",
        make("kbd", {}, "→"),
        " to run the first operation",
        ...(steps ? [", ", make("kbd", {}, "b"), " to go to the backward pass"] : []),
        ". Click a box with a name to enter it.",
        steps ? "" : " No backward pass was recorded.",
      ),
    ),
    ...(level.parent === null ? passes.map((_, pass) => depthSection(pass)) : []),
    rows.length
      ? section(
          "parameters",
          ["Parameters", make("span", { class: "small" }, "norm of gradient")],
          make("table", { class: "facts" }, ...rows),
        )
      : null,
  ];
}

// The norm of the arriving gradient over a pass's operations, on a logarithmic scale; a click goes there.
function depthSection(pass) {
  const norms = normsOverDepth(pass);
  const sizes = norms.map(({ norm }) => norm).filter((norm) => norm > 0 && Number.isFinite(norm));
  if (sizes.length < 3) return null;
  const [low, high] = sizes.reduce(
    ([least, most], norm) => [Math.min(least, norm), Math.max(most, norm)],
    [Infinity, 0],
  );
  const range = Math.max(Math.log10(high) - Math.log10(low), 1);
  const [width, height] = [300, 60];
  const points = norms.map(({ norm }, place) => [
    (width * (place + 0.5)) / norms.length,
    norm > 0 && Number.isFinite(norm) ? 4 + ((height - 8) * (Math.log10(high) - Math.log10(norm))) / range : null,
  ]);
  const go = (event) => {
    const at = event.currentTarget.getBoundingClientRect();
    const place = Math.floor((norms.length * (event.clientX - at.left)) / at.width);
    const { step } = norms[Math.max(0, Math.min(norms.length - 1, place))];
    goTo(stepAt[pass][step.index]);
  };
  const line = points.filter(([, y]) => y !== null).map((point) => point.map((number) => number.toFixed(1)).join(","));
  const words = `norms of the arriving gradients, from ${written(low, 3)} to ${written(high, 3)}`;
  const chart = draw(
    "svg",
    { class: "depth", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": words },
    draw("polyline", { points: line.join(" ") }),
  );
  chart.addEventListener("click", go);
  return section(
    "depth",
    ["Gradient over depth", make("span", { class: "small" }, passes.length > 1 ? `pass ${pass + 1}` : "norm, log scale")],
    chart,
    make("p", { class: "small soft" }, `From the loss (left) to the inputs: ${words}.`),
  );
}
