// The lens over a convolution or pooling: the window behind an output, and which gradients make that of a pixel.

const lensChoice = new Map(); // node -> {mode, output, input}: kept while the reader steps

function lensSection(node, event) {
  const found = lensOf(node, event);
  if (!found) return null;
  return make(
    "section",
    { "data-section": "lens", id: "lens" },
    make("h3", {}, found.conv ? "Lens: the convolution's window" : "Lens: the pooling window"),
    paintLens(found),
  );
}

function numbersOf(text, count) {
  const found = (String(text).match(/-?\d+/g) ?? []).map(Number);
  return found.length ? Array.from({ length: count }, (_, i) => found[Math.min(i, found.length - 1)]) : null;
}

// Everything a lens needs, or null where an array was left out or the operation is another one.
function lensOf(node, event) {
  const conv = /^(Convolution|Conv2d)/.test(node.name) || node.operation === "Convolution";
  const max = /^MaxPool/.test(node.name),
    average = /^AvgPool/.test(node.name);
  if (!(conv || max || average) || /Grad|Transpose/.test(node.name)) return null;
  const input = tensors[node.inputs[0]],
    output = tensors[node.outputs[0]];
  if (input.shape.length !== 4 || output.shape.length !== 4) return null;
  const settings = Object.fromEntries(node.arguments ?? []);
  const x = planesOf(input.data, input.shape),
    y = planesOf(output.data, output.shape);
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
  const padding = numbersOf(settings.padding ?? "0", 4) ?? [0, 0, 0, 0]; // both sides of both axes, or one for both
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
  const again = (changes) => {
    lensChoice.set(lens.node.id, { ...choice, ...changes });
    body.replaceWith(paintLens(lens));
  };
  const modes = [
    ["y", "an output cell"],
    ...(lens.dy ? [["dx", "an input pixel's gradient"]] : []),
    ...(lens.conv && lens.dy ? [["dw", "a weight's gradient"]] : []),
  ];
  body.append(
    make(
      "div",
      { class: "tabs" },
      ...modes.map(([mode, words]) =>
        make(
          "button",
          {
            type: "button",
            "aria-pressed": String(mode === choice.mode),
            "data-lens-mode": mode,
            onclick: () => again({ mode }),
          },
          words,
        ),
      ),
    ),
  );
  const planesShown = Math.min(
    lens.outputs,
    lens.y.count,
    lens.dy ? lens.dy.count : Infinity,
    lens.conv ? Math.floor(lens.w.count / lens.perGroup) : Infinity,
  );
  const output = Math.min(choice.output, planesShown - 1);
  const channelsInGroup = lens.conv ? lens.perGroup : 1;
  const group = lens.conv ? Math.floor(output / (lens.outputs / lens.groups)) : 0;
  const input = lens.conv ? Math.min(choice.input, channelsInGroup - 1) : output;
  const pick = (word, count, value, change) =>
    count > 1
      ? make(
          "label",
          {},
          `${word} `,
          make(
            "select",
            { onchange: (event) => change(Number(event.target.value)) },
            ...Array.from({ length: count }, (_, i) => make("option", { value: i, selected: i === value }, String(i))),
          ),
        )
      : null;
  body.append(
    make(
      "div",
      {},
      pick(lens.conv ? "output channel" : "channel", planesShown, output, (value) => again({ output: value })),
      lens.conv ? pick("input channel", channelsInGroup, input, (value) => again({ input: value })) : null,
    ),
  );
  const channel = lens.conv ? group * channelsInGroup + input : output;
  if (channel >= lens.x.count) return body;
  const view = { ...lens, mode: choice.mode, output, input, channel, group };
  const pictures = {
    x: lensCanvas(
      choice.mode === "dx" && lens.dx ? lens.dx : lens.x,
      channel,
      choice.mode === "dx" && lens.dx ? "dx, gradient of the input" : "x, the input",
      118,
    ),
    w: lens.conv
      ? lensCanvas(
          choice.mode === "dw" && lens.dw ? lens.dw : lens.w,
          output * lens.perGroup + input,
          choice.mode === "dw" ? "dW, gradient of the kernel" : "W, the kernel",
          64,
        )
      : null,
    y: lensCanvas(
      choice.mode === "y" ? lens.y : lens.dy,
      output,
      choice.mode === "y" ? "y, the output" : "dy, gradient of the output",
      118,
    ),
  };
  const names = { x: "input", w: "kernel", y: "output" };
  for (const [key, part] of Object.entries(pictures)) part?.canvas.setAttribute("data-lens", names[key]);
  const words = {
    y: "Hover a cell of y (or focus it and use the arrow keys).",
    dx: "Hover a pixel of dx to see which output gradients form it.",
    dw: "Hover a weight of dW to see what it gathers.",
  };
  const result = make("div", { class: "sum", id: "lens-result" }, words[choice.mode]);
  body.append(
    make(
      "div",
      { class: "row" },
      ...Object.values(pictures)
        .filter(Boolean)
        .map(({ figure }) => figure),
    ),
    result,
  );
  const source = { y: "y", dx: "x", dw: "w" }[choice.mode];
  const explain = { y: explainOutput, dx: explainPixel, dw: explainWeight }[choice.mode];
  const target = pictures[source];
  const clear = () => {
    for (const part of Object.values(pictures)) part?.mark([]);
  };
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
  const canvas = make("canvas", {
    tabindex: 0,
    role: "img",
    "aria-label": caption,
    "data-plane": plane,
    width: planes.cols * factor,
    height: planes.rows * factor,
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
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
