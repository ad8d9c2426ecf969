// What was recorded, and the questions that the rest asks of it. Nothing here knows what the page looks like.

const recorded = await inflated(document.getElementById("document").textContent);
const { calls, tensors, nodes, passes, timeline, levels } = recorded;

// The document: JSON that was deflated and written in base64.
function inflated(text) {
  return new Response(new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

const ranAt = new Array(nodes.length).fill(0); // the position at which an operation has just run
const stepAt = passes.map((pass) => new Array(pass.steps.length).fill(0));
timeline.forEach(([phase, id, step], place) => {
  if (phase === "forward") ranAt[id] = place + 1;
  else stepAt[id][step] = place + 1;
});

const stepOfNode = passes.map(
  (pass) => new Map(pass.steps.filter((step) => step.node !== null).map((step) => [step.node, step])),
);
const stepOfLeaf = passes.map(
  (pass) => new Map(pass.steps.filter((step) => step.node === null).map((step) => [step.leaf, step])),
);

// tensor -> [{step, entry}]: what every user of a tensor contributes to its gradient, in the order of the pass.
const ledgers = passes.map((pass) => {
  const found = new Map();
  for (const step of pass.steps) {
    for (const entry of step.leaving) {
      if (entry.tensor === null || entry.tensor === undefined || !entry.stats) continue;
      if (!found.has(entry.tensor)) found.set(entry.tensor, []);
      found.get(entry.tensor).push({ step, entry });
    }
  }
  return found;
});

function ledgerOf(pass, tensor) {
  return ledgers[pass]?.get(tensor) ?? [];
}

// The whole gradient that a pass brought to a tensor: {stats, data}, or null.
function totalOf(pass, tensor) {
  const maker = tensors[tensor].node;
  const step = maker === null ? stepOfLeaf[pass].get(tensor) : stepOfNode[pass].get(maker);
  return (
    step?.arriving.find((entry) => entry && entry.tensor === tensor) ??
    (maker === null ? step?.arriving[0] : null) ??
    null
  );
}

// What has just happened at a position: null at 0.
function eventAt(position) {
  if (position === 0) return null;
  const [phase, id, index] = timeline[position - 1];
  if (phase === "forward") return { phase, position, node: id, pass: null, step: null, leaf: null };
  const step = passes[id].steps[index];
  return { phase, position, pass: id, step, node: step.node, leaf: step.leaf ?? null };
}

function firstBackward() {
  const place = timeline.findIndex(([phase]) => phase === "backward");
  return place < 0 ? null : place + 1;
}

// The pass that a position belongs to: the one in progress, else the last one before it, else the first one.
function passAt(position) {
  for (let place = position - 1; place >= 0; place--) if (timeline[place][0] === "backward") return timeline[place][1];
  return passes.length ? 0 : null;
}

// Where things are drawn. `home` is [level, box] of the box that is the thing itself.
const homeOfNode = new Array(nodes.length).fill(null);
const homeOfTensor = new Map();
const levelOfCall = new Map();
const levelOfKey = new Map(levels.map((level) => [level.key, level.id]));
for (const level of levels) {
  if (level.call !== null && level.key.startsWith("call-")) levelOfCall.set(level.call, level.id);
  level.boxes.forEach((box, place) => {
    if (box.kind === "operation") homeOfNode[box.node] = [level.id, place];
    if (box.kind === "operation" && box.call !== undefined) levelOfCall.set(box.call, level.id);
    for (const chip of box.chips ?? [])
      if (!homeOfTensor.has(chip.tensor)) homeOfTensor.set(chip.tensor, [level.id, place]);
    if (box.kind === "tensor" && !homeOfTensor.has(box.tensor)) homeOfTensor.set(box.tensor, [level.id, place]);
  });
}

function homeOf(thing) {
  if (thing.kind === "node") return homeOfNode[thing.id];
  const maker = tensors[thing.id].node;
  return homeOfTensor.get(thing.id) ?? (maker === null ? null : homeOfNode[maker]);
}

function levelOfEvent(event) {
  if (event === null) return 0;
  const home = event.node !== null ? homeOfNode[event.node] : homeOf({ kind: "tensor", id: event.leaf });
  return home ? home[0] : 0;
}

// Every operation inside the box of a level, however deep.
const insideBox = new Map();
function nodesIn(level, place) {
  const key = `${level} ${place}`;
  if (!insideBox.has(key)) {
    const box = levels[level].boxes[place];
    const inside = box.kind === "operation" ? [box.node] : [];
    if (box.level !== undefined) {
      for (let inner = 0; inner < levels[box.level].boxes.length; inner++) inside.push(...nodesIn(box.level, inner));
    }
    insideBox.set(key, inside);
  }
  return insideBox.get(key);
}

// Of every level: {node: place of the box that it is in}.
const boxesByNode = new Map();
function boxOfNode(level, node) {
  if (!boxesByNode.has(level)) {
    const places = new Map();
    levels[level].boxes.forEach((box, place) => nodesIn(level, place).forEach((inner) => places.set(inner, place)));
    boxesByNode.set(level, places);
  }
  return boxesByNode.get(level).get(node);
}

// The box of a level in which something happens or stands; undefined if that is elsewhere.
function boxOfTensor(level, tensor) {
  const boxes = levels[level].boxes;
  const own = boxes.findIndex(
    (box) => box.tensor === tensor || (box.chips ?? []).some((chip) => chip.tensor === tensor),
  );
  if (own >= 0) return own;
  const around = boxes.findIndex((box) => (box.parameters ?? []).includes(tensor));
  if (around >= 0) return around;
  return tensors[tensor].node === null ? undefined : boxOfNode(level, tensors[tensor].node);
}

function boxOfEvent(level, event) {
  if (event === null) return undefined;
  return event.node !== null ? boxOfNode(level, event.node) : boxOfTensor(level, event.leaf);
}

function pathTo(level) {
  const path = [];
  for (let at = level; at !== null; at = levels[at].parent) path.unshift(levels[at]);
  return path;
}

// Names and shapes, as people write them.
function shapeOf(about) {
  const sizes = about.shape.length ? about.shape.join("×") : "scalar";
  return about.dtype && about.dtype !== "float32" ? `${sizes} ${about.dtype}` : sizes;
}

function callOf(node) {
  const home = homeOfNode[node.id];
  const box = home ? levels[home[0]].boxes[home[1]] : null;
  return box && box.call !== undefined ? calls[box.call] : null;
}

function nameOfNode(node) {
  const call = callOf(node);
  return call && call.name && call.name !== node.name ? `${call.name}: ${node.name}` : node.name;
}

function pathOfNode(node) {
  return node.call === null || node.call === undefined ? "" : calls[node.call].path || calls[node.call].kind;
}

// The path of a call from the outermost module on, and its class, as errors write it: "Net.blocks.0.b (Linear)".
function wholePathOfCall(id) {
  const call = calls[id];
  let root = call;
  while (root.parent !== null) root = calls[root.parent];
  return root === call ? call.path || call.kind : `${root.kind}.${call.path} (${call.kind})`;
}

// Operations that bear the same name in the same module, counted in the order in which they ran: [turn, of how many].
const turnOfNode = (() => {
  const alike = new Map();
  for (const node of nodes) {
    const key = JSON.stringify([nameOfNode(node), pathOfNode(node)]);
    if (!alike.has(key)) alike.set(key, []);
    alike.get(key).push(node.id);
  }
  const turns = new Array(nodes.length);
  for (const ids of alike.values()) ids.forEach((id, place) => (turns[id] = [place + 1, ids.length]));
  return turns;
})();

// Parameters that were changed in between stand in the recording once for every state: {id: [state, of how many]}.
const stateOfParameter = (() => {
  const alike = new Map();
  tensors.forEach((tensor, id) => {
    if (tensor.role !== "parameter" || !tensor.name) return;
    if (!alike.has(tensor.name)) alike.set(tensor.name, []);
    alike.get(tensor.name).push(id);
  });
  const states = new Map();
  for (const ids of alike.values()) {
    ids.sort((one, other) => tensors[one].version - tensors[other].version || one - other);
    if (ids.length > 1) ids.forEach((id, place) => states.set(id, [place + 1, ids.length]));
  }
  return states;
})();

// The passes, counted from 1, that brought a gradient to a tensor from outside.
function passesThatReached(id) {
  return passes.flatMap((pass, place) => (stepOfLeaf[place].has(id) ? [place + 1] : []));
}

function nameOfTensor(id) {
  const tensor = tensors[id];
  if (stateOfParameter.has(id)) return `${tensor.name} (state ${stateOfParameter.get(id)[0]})`;
  if (tensor.name) return tensor.name;
  if (tensor.node === null) return tensor.role === "constant" ? "constant" : tensor.role;
  const node = nodes[tensor.node];
  const several = node.outputs.length > 1 ? ` ${tensor.output}` : "";
  return `result${several} of ${callOf(node)?.path || [pathOfNode(node), node.name].filter(Boolean).join(" · ")}`;
}

// The norms of the gradients that arrive at a pass's operations, from the loss on: [{step, norm}].
function normsOverDepth(pass) {
  return passes[pass].steps.flatMap((step) => {
    const norms = step.arriving.flatMap((entry) => (entry?.stats ? [Number(entry.stats.norm)] : []));
    return step.node === null || !norms.length ? [] : [{ step, norm: Math.max(...norms) }];
  });
}

// Whether gradients vanish or explode with depth: {kind, from, to, step}, or null. Of the norms that are neither zero
// nor infinite, the geometric mean over the last third of a pass's operations is compared with that over the first
// third; a factor of 10,000 either way counts. Passes of fewer than 12 operations have no depth.
const LEAST_DEPTH = 12,
  MOST_FACTOR = 4; // powers of ten

function trendOverDepth(pass) {
  const known = normsOverDepth(pass).filter(({ norm }) => norm > 0 && Number.isFinite(norm));
  if (known.length < LEAST_DEPTH) return null;
  const third = Math.floor(known.length / 3);
  const mean = (part) => part.reduce((sum, { norm }) => sum + Math.log10(norm), 0) / part.length;
  const [from, to] = [mean(known.slice(0, third)), mean(known.slice(-third))];
  if (Math.abs(to - from) < MOST_FACTOR) return null;
  const kind = to < from ? "vanish" : "explode";
  const ends = known.reduce((end, one) => ((kind === "vanish" ? one.norm < end.norm : one.norm > end.norm) ? one : end));
  return { kind, from: known[0].norm, to: ends.norm, step: ends.step };
}

// The first operation, and the first step backward, that made a number which is none although it was given none.
function finite(stats) {
  return !stats || (!stats.nan && !stats.inf);
}
const firstNonfinite = (() => {
  for (let position = 1; position <= timeline.length; position++) {
    const event = eventAt(position);
    if (event.phase === "forward") {
      if (nodes[event.node].outputs.some((id) => id !== null && !finite(tensors[id].stats))) return event;
    } else if (event.step.leaving.some((entry) => !finite(entry.stats)) && event.node !== null) return event;
  }
  return null;
})();
