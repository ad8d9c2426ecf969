// The lens over a convolution or pooling: the window behind an output, and which gradients make that of a pixel.

const lensChoice = new Map();  // node -> {mode, output, input}: kept while the reader steps

function lensSection(node, event) {
  const found = lensOf(node, event);
  if (!found) return null;
  return make("section", { "data-section": "lens", id: "lens" }, make("h3", {}, found.conv ? "Lens: the convolution's window" : "Lens: the pooling window"), paintLens(found));
}

function numbersOf(text, count) {
  const found = (String(text).match(/-?\d+/g) ?? []).map(Number);
  return found.length ? Array.from({ length: count }, (_, i) => found[Math.min(i, found.length - 1)]) : null;
}

// Everything a lens needs, or null where an array was left out or the operation is another one.
function lensOf(node, event) {
  const conv = /^(Convolution|Conv2d)/.test(node.name) || node.operation === "Convolution";
  const max = /^MaxPool/.test(node.name), average = /^AvgPool/.test(node.name);
  if (!(conv || max || average) || /Grad|Transpose/.test(node.name)) return null;
  const input = tensors[node.inputs[0]], output = tensors[node.outputs[0]];
  if (input.shape.length !== 4 || output.shape.length !== 4) return null;
  const settings = Object.fromEntries(node.arguments ?? []);
  const x = planesOf(input.data, input.shape), y = planesOf(output.data, output.shape);
  if (!x?.whole || !y?.whole) return null;
  const lens = { node, conv, max, x, y, step: event.step, channels: input.shape[1], outputs: output.shape[1] };
  if (conv) {
    const weight = tensors[node.inputs[1]];
    lens.w = planesOf(weight.data, weight.shape);
    if (!lens.w?.whole || lens.w.count < weight.shape[1]) return null;
    lens.weight = weight;
    lens.groups = numbersOf(settings.groups ?? "1", 1)[0];
    lens.perGroup = weight.shape[1];
    lens.kernel = weight.shape.slice(2);
    const bias = node.inputs[2];
    lens.bias = bias === null || bias === undefined ? null : planesOf(tensors[bias].data, tensors[bias].shape);
  } else {
    lens.kernel = numbersOf(settings.kernel ?? settings.kernel_size ?? "", 2);
    lens.perGroup = 1;
    if (!lens.kernel) return null;
  }
  lens.stride = numbersOf(settings.stride ?? "", 2) ?? (conv ? [1, 1] : lens.kernel);
  const padding = numbersOf(settings.padding ?? "0", 4) ?? [0, 0, 0, 0];  // both sides of both axes, or one for both
  lens.padding = /\)\s*,\s*\(/.test(settings.padding) ? [padding[0], padding[2]] : [padding[0], padding[1]];
  lens.dilation = numbersOf(settings.dilation ?? "1", 2) ?? [1, 1];
  lens.divisor = numbersOf(settings.divisor ?? settings.divisor_override ?? "", 1)?.[0] ?? null;
  lens.countPadding = (settings.include ?? settings.count_include_pad) !== "False";
  const arriving = event.step?.arriving.find(Boolean);
  const leaving = event.step?.leaving.find((entry) => entry.input === 0);
  lens.dy = arriving ? planesOf(arriving.data, output.shape) : null;
  lens.dx = leaving?.stats ? planesOf(leaving.data, input.shape) : null;
  lens.dw = conv ? planesOf(event.step?.leaving.find((entry) => entry.input === 1)?.data, lens.weight.shape) : null;
  lens.batch = input.shape[0];
  return lens;
}

function at(planes, plane, row, col) {
  return planes.values[(plane * planes.rows + row) * planes.cols + col];
}

function choiceOf(lens) {
  if (!lensChoice.has(lens.node.id)) lensChoice.set(lens.node.id, { mode: "y", output: 0, input: 0 });
  const choice = lensChoice.get(lens.node.id);
  if (!lens.dy && choice.mode !== "y") return { ...choice, mode: "y" };
  return choice;
}

function paintLens(lens) {
  const choice = choiceOf(lens);
  const body = make("div", {});
  const again = (changes) => { lensChoice.set(lens.node.id, { ...choice, ...changes }); body.replaceWith(paintLens(lens)); };
  const modes = [["y", "an output cell"], ...(lens.dy ? [["dx", "an input pixel's gradient"]] : []), ...(lens.conv && lens.dy ? [["dw", "a weight's gradient"]] : [])];
  body.append(make("div", { class: "tabs" }, ...modes.map(([mode, words]) => make("button", { type: "button", "aria-pressed": String(mode === choice.mode), "data-lens-mode": mode, onclick: () => again({ mode }) }, words))));
  const planesShown = Math.min(lens.outputs, lens.y.count, lens.dy ? lens.dy.count : Infinity, lens.conv ? Math.floor(lens.w.count / lens.perGroup) : Infinity);
  const output = Math.min(choice.output, planesShown - 1);
  const channelsInGroup = lens.conv ? lens.perGroup : 1;
  const group = lens.conv ? Math.floor(output / (lens.outputs / lens.groups)) : 0;
  const input = lens.conv ? Math.min(choice.input, channelsInGroup - 1) : output;
  const pick = (word, count, value, change) => count > 1 ? make("label", {}, `${word} `, make("select", { onchange: (event) => change(Number(event.target.value)) },
    ...Array.from({ length: count }, (_, i) => make("option", { value: i, selected: i === value }, String(i))))) : null;
  body.append(make("div", {}, pick(lens.conv ? "output channel" : "channel", planesShown, output, (value) => again({ output: value })),
    lens.conv ? pick("input channel", channelsInGroup, input, (value) => again({ input: value })) : null));
  const channel = lens.conv ? group * channelsInGroup + input : output;
  if (channel >= lens.x.count) return body;
  const view = { ...lens, mode: choice.mode, output, input, channel, group };
  const pictures = {
    x: lensCanvas(choice.mode === "dx" && lens.dx ? lens.dx : lens.x, channel, choice.mode === "dx" && lens.dx ? "dx, gradient of the input" : "x, the input", 118),
    w: lens.conv ? lensCanvas(choice.mode === "dw" && lens.dw ? lens.dw : lens.w, output * lens.perGroup + input, choice.mode === "dw" ? "dW, gradient of the kernel" : "W, the kernel", 64) : null,
    y: lensCanvas(choice.mode === "y" ? lens.y : lens.dy, output, choice.mode === "y" ? "y, the output" : "dy, gradient of the output", 118),
  };
  const names = { x: "input", w: "kernel", y: "output" };
  for (const [key, part] of Object.entries(pictures)) part?.canvas.setAttribute("data-lens", names[key]);
  const words = { y: "Hover a cell of y (or focus it and use the arrow keys).", dx: "Hover a pixel of dx to see which output gradients form it.", dw: "Hover a weight of dW to see what it gathers." };
  const result = make("div", { class: "sum", id: "lens-result" }, words[choice.mode]);
  body.append(make("div", { class: "row" }, ...Object.values(pictures).filter(Boolean).map(({ figure }) => figure)), result);
  const source = { y: "y", dx: "x", dw: "w" }[choice.mode];
  const explain = { y: explainOutput, dx: explainPixel, dw: explainWeight }[choice.mode];
  const target = pictures[source];
  const clear = () => { for (const part of Object.values(pictures)) part?.mark([]); };
  watchCells(target.canvas, target.planes.rows, target.planes.cols, (row, col) => {
    clear();
    target.mark([[row, col, 1, 1]]);
    result.replaceChildren(...explain(view, row, col, pictures));
    return null;
  });
  return body;
}

// A plane that can be marked with frames: drawn large, so that frames do not hide the numbers' colours.
function lensCanvas(planes, plane, caption, wanted) {
  const factor = Math.max(1, Math.floor(wanted / Math.max(planes.rows, planes.cols)));
  const small = document.createElement("canvas");
  paintPlane(small, planes, plane, largest(planes));
  const canvas = make("canvas", { tabindex: 0, role: "img", "aria-label": caption, "data-plane": plane, width: planes.cols * factor, height: planes.rows * factor });
  const context = canvas.getContext("2d");
  const mark = (frames) => {
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    context.lineWidth = 2;
    for (const [row, col, rows, cols, kind] of frames) {
      context.strokeStyle = kind === "soft" ? "rgba(20,30,40,.45)" : "#101820";
      context.strokeRect(col * factor - 0.5, row * factor - 0.5, cols * factor + 1, rows * factor + 1);
    }
  };
  mark([]);
  return { canvas, mark, planes, figure: make("figure", {}, make("figcaption", {}, caption), canvas) };
}

// The pixels of the window behind output (row, col): [[row, col in the input, row, col in the kernel]], padding left out.
function windowOf(lens, row, col) {
  const cells = [];
  for (let i = 0; i < lens.kernel[0]; i++) {
    for (let j = 0; j < lens.kernel[1]; j++) {
      const r = row * lens.stride[0] - lens.padding[0] + i * lens.dilation[0], c = col * lens.stride[1] - lens.padding[1] + j * lens.dilation[1];
      if (r >= 0 && c >= 0 && r < lens.x.rows && c < lens.x.cols) cells.push([r, c, i, j]);
    }
  }
  return cells;
}

function frameOf(cells) {
  const rows = cells.map(([r]) => r), cols = cells.map(([, c]) => c);
  const top = Math.min(...rows), left = Math.min(...cols);
  return [top, left, Math.max(...rows) - top + 1, Math.max(...cols) - left + 1];
}

// The output cells whose window holds pixel (row, col): [[row, col of the output, row, col in the kernel]].
function usersOf(lens, row, col) {
  const cells = [];
  for (let i = 0; i < lens.kernel[0]; i++) {
    for (let j = 0; j < lens.kernel[1]; j++) {
      const r = row + lens.padding[0] - i * lens.dilation[0], c = col + lens.padding[1] - j * lens.dilation[1];
      if (r % lens.stride[0] || c % lens.stride[1]) continue;
      const place = [r / lens.stride[0], c / lens.stride[1], i, j];
      if (place[0] >= 0 && place[1] >= 0 && place[0] < lens.y.rows && place[1] < lens.y.cols) cells.push(place);
    }
  }
  return cells;
}

function poolDivisor(lens, row, col) {
  if (lens.divisor) return lens.divisor;
  if (!lens.countPadding) return windowOf(lens, row, col).length;
  const extent = (axis, place, size) => {
    const start = place * lens.stride[axis] - lens.padding[axis];
    return Math.min(start + lens.kernel[axis], size + lens.padding[axis]) - start;
  };
  return extent(0, row, lens.x.rows) * extent(1, col, lens.x.cols);
}

// The first of the largest values of a window, as the kernels choose it; NaN wins.
function winnerOf(lens, row, col) {
  let best = null;
  for (const cell of windowOf(lens, row, col)) {
    const value = at(lens.x, lens.channel, cell[0], cell[1]);
    if (best === null || value > best.value || (Number.isNaN(value) && !Number.isNaN(best.value))) best = { cell, value };
  }
  return best;
}

function equation(parts, total, recordedValue, words) {
  const shown = parts.slice(0, 12).join(" + ").replaceAll("+ −", "− ");
  const agree = Math.abs(total - recordedValue) <= 1e-4 * Math.max(1, Math.abs(recordedValue));
  return [make("div", {}, `${words} = ${shown || "0"}${parts.length > 12 ? ` + ${parts.length - 12} more` : ""}`),
    make("div", {}, "= ", make("b", { "data-lens-sum": total }, written(total, 6)), recordedValue === null || Number.isNaN(recordedValue) ? "" : make("span", { class: agree ? "good" : "soft", "data-lens-value": recordedValue }, `   recorded ${written(recordedValue, 6)}`))];
}

function explainOutput(lens, row, col, pictures) {
  const cells = windowOf(lens, row, col);
  if (cells.length) pictures.x.mark([frameOf(cells)]);
  const value = at(lens.y, lens.output, row, col);
  if (!lens.conv && lens.max) {
    const best = winnerOf(lens, row, col);
    if (best) pictures.x.mark([frameOf(cells), [best.cell[0], best.cell[1], 1, 1]]);
    return [lensTable(lens, row, col, (r, c) => (r < 0 || c < 0 || r >= lens.x.rows || c >= lens.x.cols ? null : at(lens.x, lens.channel, r, c)), best?.cell), ...equation([`max of ${cells.length}`], best ? best.value : NaN, value, `y[${row}, ${col}]`)];
  }
  if (!lens.conv) {
    const total = cells.reduce((sum, [r, c]) => sum + at(lens.x, lens.channel, r, c), 0) / poolDivisor(lens, row, col);
    return [lensTable(lens, row, col, (r, c) => (r < 0 || c < 0 || r >= lens.x.rows || c >= lens.x.cols ? null : at(lens.x, lens.channel, r, c))), ...equation([`Σ of ${cells.length} / ${poolDivisor(lens, row, col)}`], total, value, `y[${row}, ${col}]`)];
  }
  const sums = Array.from({ length: lens.perGroup }, (_, channel) => cells.reduce((sum, [r, c, i, j]) => sum + at(lens.x, lens.group * lens.perGroup + channel, r, c) * at(lens.w, lens.output * lens.perGroup + channel, i, j), 0));
  const bias = lens.bias ? lens.bias.values[lens.output] : 0;
  const total = sums.reduce((sum, part) => sum + part, bias);
  const parts = sums.map((part, channel) => (lens.perGroup > 1 ? `${written(part, 4)} (ch ${channel})` : written(part, 5)));
  if (lens.bias) parts.push(`${written(bias, 4)} (bias)`);
  pictures.w.mark([[0, 0, ...lens.kernel]]);
  const product = (r, c, i, j) => (r < 0 || c < 0 || r >= lens.x.rows || c >= lens.x.cols ? null : at(lens.x, lens.channel, r, c) * at(lens.w, lens.output * lens.perGroup + lens.input, i, j));
  return [lensTable(lens, row, col, product, null, "products x · W of the window"), ...equation(parts, total, value, `y[${row}, ${col}]`)];
}

// The window as a table of numbers; cells in the padding stay empty.
function lensTable(lens, row, col, number, best, caption = "the window") {
  if (lens.kernel[0] * lens.kernel[1] > 64) return make("div", {});
  const table = make("table", { class: "numbers" });
  const values = [];
  for (let i = 0; i < lens.kernel[0]; i++) {
    for (let j = 0; j < lens.kernel[1]; j++) {
      const r = row * lens.stride[0] - lens.padding[0] + i * lens.dilation[0], c = col * lens.stride[1] - lens.padding[1] + j * lens.dilation[1];
      values.push([number(r, c, i, j), best && best[0] === r && best[1] === c]);
    }
  }
  const most = Math.max(...values.map(([value]) => Math.abs(value ?? 0)));
  for (let i = 0; i < lens.kernel[0]; i++) {
    table.append(make("tr", {}, ...values.slice(i * lens.kernel[1], (i + 1) * lens.kernel[1]).map(([value, chosen]) => {
      if (value === null) return make("td", { title: "padding", class: "soft" }, "·");
      const cell = numberCell(value, most, 3);
      if (chosen) cell.style.outline = "2px solid #101820";
      return cell;
    })));
  }
  return make("div", { class: "scroll" }, make("div", { class: "soft small" }, caption), table);
}

function explainPixel(lens, row, col, pictures) {
  const value = lens.dx && lens.channel < lens.dx.count ? at(lens.dx, lens.channel, row, col) : NaN;
  if (!lens.conv) {
    const users = usersOf(lens, row, col).filter(([r, c]) => !lens.max || (({ cell }) => cell[0] === row && cell[1] === col)(winnerOf(lens, r, c)));
    pictures.y.mark(users.map(([r, c]) => [r, c, 1, 1]));
    const parts = users.map(([r, c]) => at(lens.dy, lens.output, r, c) / (lens.max ? 1 : poolDivisor(lens, r, c)));
    const words = lens.max && !users.length ? [make("div", {}, "This pixel is the largest of no window: no gradient comes back to it.")] : [];
    return [...words, ...equation(parts.map((part) => written(part, 4)), parts.reduce((sum, part) => sum + part, 0), value, `dx[${row}, ${col}]`)];
  }
  const users = usersOf(lens, row, col);
  pictures.y.mark(users.map(([r, c]) => [r, c, 1, 1]));
  pictures.w.mark(users.map(([, , i, j]) => [i, j, 1, 1]));
  const perGroup = lens.outputs / lens.groups;
  const shown = Math.min(lens.dy.count, lens.outputs, Math.floor(lens.w.count / lens.perGroup));
  let total = 0;
  const parts = [];
  for (let output = lens.group * perGroup; output < (lens.group + 1) * perGroup && output < shown; output++) {
    const part = users.reduce((sum, [r, c, i, j]) => sum + at(lens.dy, output, r, c) * at(lens.w, output * lens.perGroup + lens.input, i, j), 0);
    total += part;
    parts.push(`${written(part, 4)}${perGroup > 1 ? ` (out ${output})` : ""}`);
  }
  const missing = shown < lens.outputs ? [make("div", { class: "soft" }, "not all output channels are in this file")] : [];
  return [make("div", {}, `${users.length} output cells × ${perGroup} channels: Σ dy · W`), ...equation(parts, total, value, `dx[${row}, ${col}]`), ...missing];
}

function explainWeight(lens, row, col, pictures) {
  const frames = [], parts = [];
  let total = 0;
  for (let r = 0; r < lens.y.rows; r++) {
    for (let c = 0; c < lens.y.cols; c++) {
      const i = r * lens.stride[0] - lens.padding[0] + row * lens.dilation[0], j = c * lens.stride[1] - lens.padding[1] + col * lens.dilation[1];
      if (i < 0 || j < 0 || i >= lens.x.rows || j >= lens.x.cols) continue;
      const part = at(lens.x, lens.channel, i, j) * at(lens.dy, lens.output, r, c);
      total += part;
      frames.push([i, j, 1, 1]);
      if (part !== 0) parts.push(part);
    }
  }
  if (frames.length) pictures.x.mark([frameOf(frames)]);
  parts.sort((one, other) => Math.abs(other) - Math.abs(one));
  const value = lens.dw ? at(lens.dw, lens.output * lens.perGroup + lens.input, row, col) : NaN;
  const note = lens.batch > 1 ? [make("div", { class: "soft" }, `This is sample 0's part; dW[${row}, ${col}] = ${written(value, 6)} sums over all ${lens.batch} samples.`)] : [];
  return [make("div", {}, `every framed pixel × the output gradient it met: ${frames.length} products, largest first`),
    ...equation(parts.slice(0, 6).map((part) => written(part, 4)).concat(parts.length > 6 ? [`${parts.length - 6} more`] : []), total, lens.batch > 1 ? NaN : value, `dW[${row}, ${col}]`), ...note];
}
