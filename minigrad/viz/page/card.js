// The inspector: what the current step, or what the reader chose, is and does, section by section.

const card = document.getElementById("card");
let scrolled = 0;  // kept here, because asking the card makes the browser lay the page out
card.addEventListener("scroll", () => { scrolled = card.scrollTop; }, { passive: true });

function section(name, title, ...content) {
  const parts = content.filter((part) => part !== null && part !== undefined && part !== false);
  return parts.length ? make("section", { "data-section": name }, make("h3", {}, ...[title].flat()), ...parts) : null;
}

function paintCard() {
  readout(null);
  unpainted = [];
  document.body.dataset.unpainted = 0;
  const event = eventAt(state.position);
  const chosen = state.selected;
  let parts;
  if (chosen === null) parts = event === null ? overviewCard() : event.node !== null ? nodeCard(event.node, event) : leafCard(event);
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
  return step ? eventAt(stepAt[pass][step.index]) : { phase: "forward", position: ranAt[node], node, pass: null, step: null, leaf: null };
}

function head(phase, words, title, place) {
  const pinned = state.selected !== null && make("button", { type: "button", id: "unpin", title: "Follow the steps again (Escape)", onclick: () => update({ selected: null }) }, "unpin ✕");
  return make("header", {}, make("div", { class: `phase ${phase}` }, make("span", {}, words), pinned || null), make("h2", {}, title), place && make("div", { class: "place" }, ...[place].flat()));
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
  return make("button", { type: "button", class: "link", "data-tensor-link": id, onclick: () => choose({ kind: "tensor", id }) }, text);
}

function nodeLink(id, text = nameOfNode(nodes[id])) {
  return make("button", { type: "button", class: "link", "data-node-link": id, onclick: () => choose({ kind: "node", id }) }, text);
}

// One tensor or gradient: name, shape, what is remarkable, numbers, picture.
function flow(kind, { tensor, name, shape, stats, data, tags = [], what }) {
  const label = tensor !== null && tensor !== undefined ? tensorLink(tensor, name) : make("b", {}, name);
  return make("div", { class: `flow ${kind}`, "data-flow-tensor": tensor },
    make("div", { class: "name" }, label, make("span", { class: "mono soft" }, shapeOf(shape))),
    tags.length ? make("div", {}, ...tags) : null, statsLine(stats), picture(data, shape.shape, tensor ?? undefined, what));
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
  if (recorded.error && recorded.error.node === id) parts.push(section("error", "The program stopped here", make("p", { class: "alarm" }, `${recorded.error.type}: ${recorded.error.message}`)));
  parts.push(formulaSection(node, backward), settingsSection(node));
  if (backward) {
    parts.push(arrivingSection(node, event), leavingSection(node, event), ledgerSection(event), localSection(event), checkSection(event.step.check));
  }
  parts.push(lensSection(node, event), savedSection(node), valuesSection(node, !backward));
  parts.push(whySection([...node.inputs, ...node.outputs]), sourceSection(node));
  return parts;
}

function formulaSection(node, backward) {
  const shapes = make("table", { class: "facts" });
  const line = (name, tensor) => tensor !== null && tensor !== undefined && shapes.append(make("tr", {}, make("th", {}, name), make("td", {}, tensorLink(tensor)), make("td", { class: "mono" }, shapeOf(tensors[tensor]))));
  node.inputs.forEach((tensor, place) => line(inputName(node, place), tensor));
  node.outputs.forEach((tensor, place) => line(node.outputs.length > 1 ? `result ${place + 1}` : "result", tensor));
  const formulas = backward ? [node.formula, node.forward_formula] : [node.forward_formula, node.formula];
  const sized = backward ? node.formula_shapes : node.forward_shapes;
  const words = backward ? ["Derivative", "forward"] : ["Formula", "derivative"];
  return section("formula", words[0], formulas[0] && make("div", { class: "formula" }, formulas[0]), shapes,
    sized && sized !== formulas[0] && make("p", { class: "small soft" }, "with shapes: ", make("span", { class: "mono" }, sized)),
    formulas[1] && make("p", { class: "small soft" }, `${words[1]}: `, make("span", { class: "mono" }, formulas[1])));
}

function settingsSection(node) {
  const shown = (node.arguments ?? []).filter(([, text]) => text !== "" && text !== null);
  const flags = [...(node.flags ?? []).map((flag) => flag.replaceAll("_", " ")), ...(node.recorded || node.flags?.includes("failed") ? [] : ["not recorded: no gradient flows here"])];
  if (!shown.length && !flags.length) return null;
  return section("arguments", "Settings", shown.length ? make("table", { class: "facts" }, ...shown.map(([name, text]) => make("tr", {}, make("th", {}, name), make("td", { class: "mono" }, text)))) : null,
    flags.length ? make("div", {}, ...flags.map((flag) => tag(flag, flag.startsWith("not") ? "bad" : ""))) : null);
}

function arrivingSection(node, event) {
  const entries = event.step.arriving.filter((entry) => entry !== null);
  return section("arriving", "Gradient arriving", ...(entries.length ? entries.map((entry, place) => flow("arriving", {
    tensor: entry.tensor, name: entries.length > 1 ? `d result ${place + 1}` : "d result", shape: tensors[entry.tensor], stats: entry.stats, data: entry.data, what: "gradient",
    tags: event.step.hooked?.includes(place) ? [tag("replaced by a hook", "sum")] : [],
  })) : [make("p", { class: "soft" }, "None: no gradient reached this operation.")]));
}

function leavingSection(node, event) {
  const flows = event.step.leaving.map((entry) => {
    const shape = tensors[entry.tensor] ?? { shape: [], dtype: "float32" };
    const tags = [];
    if (entry.summed?.length) tags.push(tag(`summed over axes (${entry.summed.join(", ")}${entry.summed.length === 1 ? "," : ""})`, "sum"));
    if (entry.raw) tags.push(tag(`was ${shapeOf(entry.raw)}, norm ${written(entry.raw.stats.norm, 4)}`));
    if (entry.cast) tags.push(tag(`cast ${entry.cast.replace("->", " → ")}`, "sum"));
    const name = `d ${inputName(node, entry.input)}`;
    if (!entry.stats) return make("div", { class: "flow none" }, make("div", { class: "name" }, make("b", {}, name), make("span", { class: "soft" }, "None")));
    const paths = ledgerOf(event.pass, entry.tensor).length;
    if (paths > 1) tags.push(tag(`one of ${paths} paths to ${nameOfTensor(entry.tensor)}`));
    return flow("leaving", { tensor: entry.tensor, name: `${name} → ${nameOfTensor(entry.tensor)}`, shape, stats: entry.stats, data: entry.data, tags, what: "gradient" });
  });
  const without = node.inputs.map((tensor, place) => [tensor, place]).filter(([tensor, place]) => tensor !== null && !event.step.leaving.some((entry) => entry.input === place));
  return section("leaving", "Gradients leaving", ...flows, without.length ? make("p", { class: "small soft" }, "No gradient is asked for: ",
    ...without.flatMap(([tensor, place], i) => [i ? ", " : "", tensorLink(tensor, inputName(node, place))])) : null);
}

function localSection(event) {
  const entries = event.step.local ?? [];
  return section("local", "Local derivative", ...entries.map((entry) => {
    const values = entry.numbers === null || entry.numbers === undefined ? null : unpack({ numbers: entry.numbers }, dimensions(entry.numbers));
    return make("div", {}, make("p", { class: "mono" }, entry.text ?? ""), values && values.values.length <= 256 ? numbersTable(values) : null);
  }));
}

function dimensions(numbers) {
  return Array.isArray(numbers) ? [numbers.length, ...(numbers.length ? dimensions(numbers[0]) : [])] : [];
}

const CHECKS = { agrees: ["✓ agrees", "good"], disagrees: ["✗ disagrees", "bad"], "not checked": ["not checked", ""] };

function checkSection(check) {
  if (!check) return null;
  const [words, kind] = CHECKS[check.state] ?? [check.state, ""];
  return section("check", "Derivative against finite differences", make("div", { "data-check": check.state }, tag(words, kind)),
    check.text ? make("p", { class: "small soft" }, check.text) : null);
}

function savedSection(node) {
  if (!node.saved?.length) return null;
  return section("saved", ["Saved for backward", make("span", { class: "small" }, bytes(node.saved_bytes ?? 0))], ...node.saved.map((saved) => {
    if (typeof saved === "number") return make("p", { class: "small" }, tensorLink(saved), make("span", { class: "soft mono" }, `  ${shapeOf(tensors[saved])}`));
    return flow("value", { tensor: null, name: saved.name ?? "array", shape: saved, stats: saved.stats, data: saved.data, what: "saved" });
  }));
}

function bytes(count) {
  return count < 1000 ? `${count} bytes` : count < 1e6 ? `${(count / 1000).toPrecision(3)} kB` : `${(count / 1e6).toPrecision(3)} MB`;
}

function valuesSection(node, inputs) {
  const value = (id, name) => flow("value", { tensor: id, name, shape: tensors[id], stats: tensors[id].stats, data: tensors[id].data, what: "value" });
  const outputs = node.outputs.map((id, place) => value(id, tensors[id].name || (node.outputs.length > 1 ? `result ${place + 1}` : "result")));
  const given = [...new Set(node.inputs)].filter((id) => id !== null).map((id) => value(id, `${inputName(node, node.inputs.indexOf(id))} ← ${nameOfTensor(id)}`));
  return section("values", "Values", ...outputs, ...(inputs ? given : []));
}

function whySection(ids) {
  const entries = [...new Set(ids)].filter((id) => id !== null && tensors[id].why);
  return section("why", "Why no gradient?", ...entries.map((id) => {
    const why = tensors[id].why;
    return make("div", { "data-why": why.cause },
      make("p", {}, tensorLink(id), ` has ${why.state === "zero" ? "a gradient of zeros" : "no gradient"}.  `, tag(why.cause.replaceAll("_", " "), "bad")), make("p", {}, why.text),
      why.line ? make("p", { class: "mono small soft" }, why.line) : null, why.node !== null && why.node !== undefined ? make("p", { class: "small" }, "cut at ", nodeLink(why.node)) : null);
  }));
}

function sourceSection(node) {
  return node.source || node.line ? section("source", ["Source", make("span", { class: "mono small" }, node.line ?? "")], node.source ? make("div", { class: "formula" }, node.source) : null) : null;
}

function leafCard(event) {
  const id = event.leaf;
  const entry = event.step.arriving.find(Boolean);
  return [head("backward", wordsOf(event), nameOfTensor(id), `${tensors[id].role} · ${shapeOf(tensors[id])}: its gradient is complete and is added to .grad`),
    section("arriving", "Gradient arriving", entry ? flow("arriving", { tensor: id, name: `d ${nameOfTensor(id)}`, shape: tensors[id], stats: entry.stats, data: entry.data, what: "gradient" }) : null),
    ledgerSection(event), section("values", "Value", flow("value", { tensor: id, name: nameOfTensor(id), shape: tensors[id], stats: tensors[id].stats, data: tensors[id].data, what: "value" })), whySection([id])];
}

function tensorCard(id) {
  const tensor = tensors[id];
  const maker = tensor.node === null ? null : nodes[tensor.node];
  const place = maker ? ["made by ", nodeLink(maker.id)] : tensor.role;
  const users = [...new Set(tensor.users.map(([node]) => node))];
  const pass = passAt(state.position);
  return [head("", maker ? "Tensor" : tensor.role[0].toUpperCase() + tensor.role.slice(1), nameOfTensor(id), place),
    section("about", "About", make("table", { class: "facts" }, ...[["shape", shapeOf(tensor)], ["dtype", tensor.dtype], ["requires grad", tensor.requires_grad ? "yes" : "no"], ["leaf", tensor.is_leaf ? "yes" : "no"]]
      .map(([name, text]) => make("tr", {}, make("th", {}, name), make("td", { class: "mono" }, text)))),
    users.length ? make("p", { class: "small" }, make("span", { class: "soft" }, "used by "), ...users.slice(0, 8).flatMap((node, i) => [i ? ", " : "", nodeLink(node)]), users.length > 8 ? ` and ${users.length - 8} more` : "") : null),
    whySection([id]),
    section("values", "Value", flow("value", { tensor: id, name: nameOfTensor(id), shape: tensor, stats: tensor.stats, data: tensor.data, what: "value" })),
    tensor.grad ? section("gradient", "Gradient", flow("arriving", { tensor: id, name: `d ${nameOfTensor(id)}`, shape: tensor, stats: tensor.grad.stats, data: tensor.grad.data, what: "gradient" })) : null,
    pass === null ? null : ledgerOfTensor(pass, id, state.position)];
}

function overviewCard() {
  const level = levels[state.level];
  const call = level.call === null ? null : calls[level.call];
  const inside = new Set(level.boxes.flatMap((_, place) => nodesIn(level.id, place)));
  const parameters = [...new Set([...inside].flatMap((node) => nodes[node].inputs.filter((id) => id !== null && tensors[id].role === "parameter")))];
  const steps = passes.reduce((sum, pass) => sum + pass.steps.length, 0);
  const rows = parameters.slice(0, 200).map((id) => make("tr", {}, make("td", {}, tensorLink(id)), make("td", { class: "mono soft" }, shapeOf(tensors[id])),
    make("td", { class: `mono ${tensors[id].grad ? "" : "alarm"}`, title: "norm of the gradient" }, tensors[id].grad ? written(tensors[id].grad.stats.norm, 4) : "∅")));
  return [head("", level.parent === null ? "Recorded" : "Level", level.parent === null ? recorded.title : level.title, call ? `${call.path || call.kind}${call.settings ? ` · ${call.settings}` : ""}` : ""),
    section("about", "What is here", make("table", { class: "facts" }, ...[["operations", inside.size], ["parameters", parameters.length], ["steps forward", timeline.length - steps], ["steps backward", steps]].map(([name, count]) => make("tr", {}, make("th", {}, name), make("td", { class: "mono" }, String(count))))),
      make("p", {}, "Press ", make("kbd", {}, "→"), " to run the first operation, ", make("kbd", {}, "b"), " to go to the backward pass. Click a box with a name to enter it.")),
    rows.length ? section("parameters", ["Parameters", make("span", { class: "small" }, "norm of gradient")], make("table", { class: "facts" }, ...rows)) : null];
}
