// The drawing of a level: boxes and arrows once, then, at every step, which of them are done, now, or still to come.

const svg = document.getElementById("drawing");
let drawn = null; // {level, boxes: [{element, box, chips}], edges: [{element, edge}]}
let view = null; // what the reader sees: {x, y, scale}, in the drawing's pixels; null until it is chosen
let pane = { width: 0, height: 0, left: 0, top: 0 }; // the window for the drawing, measured when it changes
let handled = false; // whether the reader moved the view by hand since the last step

function drawLevel(level) {
  if (drawn?.level === level) return;
  const about = levels[level];
  const edges = about.edges.map((edge) => ({ edge, element: drawEdge(edge) }));
  const boxes = about.boxes.map((box, place) => drawBox(box, place, level));
  svg.replaceChildren(
    draw("g", { class: "edges", "aria-hidden": "true" }, ...edges.map(({ element }) => element)),
    draw("g", { class: "boxes" }, ...boxes.map(({ element }) => element)),
  );
  drawn = { level, boxes, edges, moments: new Map() };
  handled = false;
}

function drawEdge(edge) {
  const path = edge.path;
  const curve = `M${path[0]},${path[1]}C${path.slice(2).join(" ")}`;
  const end = path.length;
  const tip = draw("title", {}, edge.tensors.map((id) => `${nameOfTensor(id)}  ${shapeOf(tensors[id])}`).join("\n"));
  return draw(
    "g",
    { class: "edge" },
    draw("path", { d: curve }),
    arrowhead("to-head", path[end - 4], path[end - 3], path[end - 2], path[end - 1]),
    arrowhead("to-tail", path[2], path[3], path[0], path[1]),
    tip,
  );
}

function arrowhead(name, x0, y0, x1, y1) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
  const corner = (along, aside) =>
    `${(x1 - along * dx - aside * dy).toFixed(1)},${(y1 - along * dy + aside * dx).toFixed(1)}`;
  return draw("polygon", { class: name, points: `${corner(0, 0)} ${corner(8, 3.6)} ${corner(8, -3.6)}` });
}

function drawBox(box, place, level) {
  const { x, y, w, h } = box;
  const loose =
    box.kind === "operation" &&
    !nodes[box.node].recorded &&
    nodes[box.node].inputs.some((id) => id !== null && tensors[id].requires_grad);
  const names = {
    class: `box ${box.kind} ${box.side ?? ""} ${box.kind === "tensor" ? tensors[box.tensor].role : ""} ${loose ? "unrecorded" : ""}`,
    tabindex: 0,
    role: "button",
    "data-box": place,
  };
  if (box.kind === "operation") names["data-node"] = box.node;
  if (box.kind === "operation" && box.call !== undefined) names["data-single-call"] = box.call;
  if (box.kind === "module") names["data-call"] = box.call;
  if (box.tensor !== undefined) names["data-tensor"] = box.tensor;
  if (box.level !== undefined) names["data-level"] = box.level;
  const element = draw("g", names);
  const shown =
    box.tensor ??
    (box.kind === "operation" && nodes[box.node].outputs.length === 1
      ? (nodes[box.node].outputs[0] ?? undefined)
      : undefined);
  const scalar = shown !== undefined && box.detail === "scalar" ? shown : undefined;
  if (box.kind === "row")
    element.append(draw("rect", { class: "under", x: x + 5, y: y + 5, width: w, height: h, rx: 6 }));
  const round = box.tensor === undefined ? 6 : h / 2;
  element.append(draw("rect", { class: "body", x, y, width: w, height: h, rx: round }));
  element.append(
    draw("text", { class: "title", x: x + 12, y: y + 19.5 }, box.title),
    draw("text", { class: "detail", x: x + w - 12, y: y + 19.5 }, box.detail),
  );
  const chips = (box.chips ?? []).map((chip) => ({ chip, element: null }));
  let left = x + (w - chips.reduce((sum, { chip }) => sum + chip.w + 6, -6)) / 2;
  for (const part of chips) {
    const { chip } = part;
    part.element = draw(
      "g",
      {
        class: `chip ${tensors[chip.tensor].role}`,
        "data-tensor": chip.tensor,
        tabindex: 0,
        role: "button",
        "aria-label": `${tensors[chip.tensor].role} ${nameOfTensor(chip.tensor)}`,
      },
      draw("rect", { x: left, y: y + 28, width: chip.w, height: 17, rx: 8.5 }),
      draw("text", { x: left + chip.w / 2, y: y + 40.5 }, chip.text),
      draw("title", {}, `${nameOfTensor(chip.tensor)}  ${shapeOf(tensors[chip.tensor])}`),
    );
    element.append(part.element);
    left += chip.w + 6;
  }
  const tip = tipOf(box);
  element.setAttribute("aria-label", `${box.title}, ${box.detail}${box.level !== undefined ? ", opens" : ""}`);
  element.prepend(draw("title", {}, tip));
  for (const [mark, text] of marksOf(level, place, box)) {
    element.classList.add(mark);
    element.append(
      draw(
        "g",
        { class: "badge" },
        draw("circle", { cx: x + w - 3, cy: y + 3, r: 9 }),
        draw("text", { x: x + w - 3, y: y + 6.5 }, "!"),
        draw("title", {}, text),
      ),
    );
    if (mark === "nonfinite") element.setAttribute("data-first-nonfinite", "");
  }
  return { element, box, chips, scalar };
}

function tipOf(box) {
  if (box.kind === "operation")
    return [nameOfNode(nodes[box.node]), nodes[box.node].formula].filter(Boolean).join("\n");
  if (box.tensor !== undefined) return `${nameOfTensor(box.tensor)}  ${shapeOf(tensors[box.tensor])}`;
  if (box.kind === "module")
    return `${calls[box.call].path || calls[box.call].name}\n${calls[box.call].kind}(${calls[box.call].settings ?? ""})\nclick to enter`;
  return `${box.title}\nclick to enter`;
}

// Operations whose derivative finite differences contradict.
const disagreeing = new Set(
  passes.flatMap((pass) =>
    pass.steps.filter((step) => step.check?.state === "disagrees" && step.node !== null).map((step) => step.node),
  ),
);

// What is always marked on a box: where the program failed, a wrong derivative, and where the first number that is none
// was made.
function marksOf(level, place, box) {
  const marks = [];
  const inside = (node) =>
    node !== null && node !== undefined && box.tensor === undefined && nodesIn(level, place).includes(node);
  const failed = recorded.error;
  if (
    failed &&
    (inside(failed.node) ||
      (failed.node === null && failed.call !== null && failed.call !== undefined && failed.call === box.call))
  ) {
    marks.push(["failed", `${failed.type}: ${failed.message}`]);
  }
  if (firstNonfinite && inside(firstNonfinite.node))
    marks.push(["nonfinite", "the first NaN or infinity was made here"]);
  if (disagreeing.size && box.tensor === undefined && nodesIn(level, place).some((node) => disagreeing.has(node)))
    marks.push(["disagrees", "finite differences contradict the derivative"]);
  return marks;
}

// When things happen to boxes and arrows during a phase: {boxes: [[first, last]], edges: [first], chips}. Positions.
function momentsOf(event) {
  const key = event === null ? "none" : event.phase === "forward" ? "forward" : event.pass;
  if (!drawn.moments.has(key)) {
    const at =
      key === "none"
        ? () => 0
        : key === "forward"
          ? (node) => ranAt[node]
          : (node) => {
              const step = stepOfNode[key].get(node);
              return step ? stepAt[key][step.index] : 0;
            };
    const leafAt = (tensor) => {
      if (key === "forward") return tensors[tensor].node === null ? 0.5 : ranAt[tensors[tensor].node];
      const step = key === "none" ? null : stepOfLeaf[key].get(tensor);
      if (step) return stepAt[key][step.index];
      return tensors[tensor].node === null || key === "none" ? 0 : at(tensors[tensor].node);
    };
    const boxes = drawn.boxes.map(({ box }, place) => {
      const times = (box.tensor !== undefined ? [leafAt(box.tensor)] : nodesIn(drawn.level, place).map(at)).filter(
        (time) => time > 0,
      );
      if (!times.length) return null;
      let first = Infinity,
        last = 0;
      for (const time of times) {
        first = Math.min(first, time);
        last = Math.max(last, time);
      }
      return [first, last];
    });
    const edges = drawn.edges.map(({ edge }) => edgeMoments(edge, key, at));
    drawn.moments.set(key, { boxes, edges, leafAt });
  }
  return drawn.moments.get(key);
}

// The positions at which something travels along an arrow.
function edgeMoments(edge, key, at) {
  if (key === "none") return [];
  const head = drawn.boxes[edge.head].box;
  const inside = new Set(head.tensor !== undefined ? [] : nodesIn(drawn.level, edge.head));
  if (key === "forward") {
    const users = edge.tensors
      .flatMap((id) => tensors[id].users.map(([node]) => node))
      .filter((node) => inside.has(node));
    return head.tensor !== undefined ? edge.tensors.map((id) => ranAt[tensors[id].node]) : users.map(at);
  }
  if (head.tensor !== undefined) {
    // a result: its gradient comes from outside of the level, or is the seed
    const maker = edge.tensors
      .map((id) => tensors[id].node)
      .map(at)
      .filter((time) => time > 0);
    return head.side === "result" && !passes[key].roots.includes(head.tensor) ? [] : maker;
  }
  return edge.tensors.flatMap((id) =>
    ledgerOf(key, id)
      .filter(({ step }) => step.node !== null && inside.has(step.node))
      .map(({ step }) => stepAt[key][step.index]),
  );
}

function paintState() {
  const event = eventAt(state.position);
  const { boxes, edges, leafAt } = momentsOf(event);
  const place = boxOfEvent(drawn.level, event);
  svg.setAttribute("class", `${event === null ? "still" : event.phase} ${state.health ? "healthy" : ""}`);
  const cut = cutOf(state.selected);
  drawn.boxes.forEach(({ element, box, chips, scalar }, i) => {
    const when = boxes[i];
    const now = i === place;
    setStatus(
      element,
      event === null
        ? ""
        : now
          ? "now"
          : when === null
            ? "idle"
            : state.position >= when[1]
              ? "done"
              : state.position < when[0]
                ? "coming"
                : "part",
    );
    element.classList.toggle("selected", isSelected(box));
    const nodesHere = cut && box.tensor === undefined ? nodesIn(drawn.level, i) : [];
    element.classList.toggle("cut", Boolean(cut) && nodesHere.includes(cut.node));
    element.classList.toggle("on-path", Boolean(cut) && nodesHere.some((node) => cut.path.includes(node)));
    for (const { chip, element: pill } of chips) {
      const time = event?.phase === "backward" ? leafAt(chip.tensor) : 0;
      pill.classList.toggle("now", event !== null && event.leaf === chip.tensor);
      pill.classList.toggle("reached", time > 0 && state.position >= time);
      pill.classList.toggle("none", Boolean(tensors[chip.tensor].why) && tensors[chip.tensor].role === "parameter");
      pill.classList.toggle("selected", state.selected?.kind === "tensor" && state.selected.id === chip.tensor);
    }
    if (scalar !== undefined) element.querySelector("text.detail").textContent = valueAndGradient(scalar, event);
    tint(element, box, i);
  });
  drawn.edges.forEach(({ element, edge }, i) => {
    const times = edges[i];
    setStatus(
      element,
      event === null
        ? ""
        : times.includes(state.position)
          ? "now"
          : times.some((time) => time < state.position)
            ? "done"
            : times.length
              ? "coming"
              : "idle",
    );
    element.classList.toggle("cut", Boolean(cut) && crossesCut(edge, cut));
  });
  if (!handled) look();
}

// What a box of a single number says instead of its shape: "value | gradient", as far as they are known by now.
function valueAndGradient(id, event) {
  const { node, stats } = tensors[id];
  if (event === null || !stats || (node !== null && ranAt[node] > state.position)) return "scalar";
  const pass = passAt(state.position),
    value = written(stats.min, 4);
  if (event.phase === "forward" || !tensors[id].requires_grad) return value;
  const step = node === null ? stepOfLeaf[pass].get(id) : stepOfNode[pass].get(node);
  const known = step && stepAt[pass][step.index] <= state.position ? totalOf(pass, id)?.stats : null;
  return `${value} | ${known ? written(known.min, 4) : "∅"}`;
}

const STATUSES = ["now", "done", "part", "coming", "idle"];
function setStatus(element, status) {
  for (const name of STATUSES) element.classList.toggle(name, name === status);
}

function isSelected(box) {
  const chosen = state.selected;
  return (
    chosen !== null &&
    ((chosen.kind === "node" && box.kind === "operation" && box.node === chosen.id) ||
      (chosen.kind === "tensor" && box.tensor === chosen.id))
  );
}

// Where the path of the chosen tensor's gradient ends: {node, path} or null.
function cutOf(chosen) {
  const why = chosen?.kind === "tensor" ? tensors[chosen.id].why : null;
  return why ? { node: why.node, path: why.path ?? [], tensor: chosen.id } : null;
}

function crossesCut(edge, cut) {
  const head = drawn.boxes[edge.head].box;
  if (cut.node === null || head.tensor !== undefined) return false;
  return (
    nodesIn(drawn.level, edge.head).includes(cut.node) &&
    edge.tensors.some(
      (id) => nodes[cut.node].inputs.includes(id) && (id === cut.tensor || cut.path.includes(tensors[id].node)),
    )
  );
}
