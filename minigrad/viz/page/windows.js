// The lens' arithmetic: which numbers meet in a window, and the sums that they make.

// The pixels of the window behind output (row, col): [[row, col in the input, row, col in the kernel]], padding left out.
function windowOf(lens, row, col) {
  const cells = [];
  for (let i = 0; i < lens.kernel[0]; i++) {
    for (let j = 0; j < lens.kernel[1]; j++) {
      const r = row * lens.stride[0] - lens.padding[0] + i * lens.dilation[0],
        c = col * lens.stride[1] - lens.padding[1] + j * lens.dilation[1];
      if (r >= 0 && c >= 0 && r < lens.x.rows && c < lens.x.cols) cells.push([r, c, i, j]);
    }
  }
  return cells;
}

function frameOf(cells) {
  const rows = cells.map(([r]) => r),
    cols = cells.map(([, c]) => c);
  const top = Math.min(...rows),
    left = Math.min(...cols);
  return [top, left, Math.max(...rows) - top + 1, Math.max(...cols) - left + 1];
}

// The output cells whose window holds pixel (row, col): [[row, col of the output, row, col in the kernel]].
function usersOf(lens, row, col) {
  const cells = [];
  for (let i = 0; i < lens.kernel[0]; i++) {
    for (let j = 0; j < lens.kernel[1]; j++) {
      const r = row + lens.padding[0] - i * lens.dilation[0],
        c = col + lens.padding[1] - j * lens.dilation[1];
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
    if (best === null || value > best.value || (Number.isNaN(value) && !Number.isNaN(best.value)))
      best = { cell, value };
  }
  return best;
}

function equation(parts, total, recordedValue, words) {
  const shown = parts.slice(0, 12).join(" + ").replaceAll("+ −", "− ");
  const agree = Math.abs(total - recordedValue) <= 1e-4 * Math.max(1, Math.abs(recordedValue));
  return [
    make("div", {}, `${words} = ${shown || "0"}${parts.length > 12 ? ` + ${parts.length - 12} more` : ""}`),
    make(
      "div",
      {},
      "= ",
      make("b", { "data-lens-sum": total }, written(total, 6)),
      recordedValue === null || Number.isNaN(recordedValue)
        ? ""
        : make(
            "span",
            { class: agree ? "good" : "soft", "data-lens-value": recordedValue },
            `   recorded ${written(recordedValue, 6)}`,
          ),
    ),
  ];
}

function explainOutput(lens, row, col, pictures) {
  const cells = windowOf(lens, row, col);
  if (cells.length) pictures.x.mark([frameOf(cells)]);
  const value = at(lens.y, lens.output, row, col);
  if (!lens.conv && lens.max) {
    const best = winnerOf(lens, row, col);
    if (best) pictures.x.mark([frameOf(cells), [best.cell[0], best.cell[1], 1, 1]]);
    return [
      lensTable(
        lens,
        row,
        col,
        (r, c) => (r < 0 || c < 0 || r >= lens.x.rows || c >= lens.x.cols ? null : at(lens.x, lens.channel, r, c)),
        best?.cell,
      ),
      ...equation([`max of ${cells.length}`], best ? best.value : NaN, value, `y[${row}, ${col}]`),
    ];
  }
  if (!lens.conv) {
    const total = cells.reduce((sum, [r, c]) => sum + at(lens.x, lens.channel, r, c), 0) / poolDivisor(lens, row, col);
    return [
      lensTable(lens, row, col, (r, c) =>
        r < 0 || c < 0 || r >= lens.x.rows || c >= lens.x.cols ? null : at(lens.x, lens.channel, r, c),
      ),
      ...equation([`Σ of ${cells.length} / ${poolDivisor(lens, row, col)}`], total, value, `y[${row}, ${col}]`),
    ];
  }
  const sums = Array.from({ length: lens.perGroup }, (_, channel) =>
    cells.reduce(
      (sum, [r, c, i, j]) =>
        sum +
        at(lens.x, lens.group * lens.perGroup + channel, r, c) *
          at(lens.w, lens.output * lens.perGroup + channel, i, j),
      0,
    ),
  );
  const bias = lens.bias ? lens.bias.values[lens.output] : 0;
  const total = sums.reduce((sum, part) => sum + part, bias);
  const parts = sums.map((part, channel) =>
    lens.perGroup > 1 ? `${written(part, 4)} (ch ${channel})` : written(part, 5),
  );
  if (lens.bias) parts.push(`${written(bias, 4)} (bias)`);
  pictures.w.mark([[0, 0, ...lens.kernel]]);
  const product = (r, c, i, j) =>
    r < 0 || c < 0 || r >= lens.x.rows || c >= lens.x.cols
      ? null
      : at(lens.x, lens.channel, r, c) * at(lens.w, lens.output * lens.perGroup + lens.input, i, j);
  return [
    lensTable(lens, row, col, product, null, "products x · W of the window"),
    ...equation(parts, total, value, `y[${row}, ${col}]`),
  ];
}

// The window as a table of numbers; cells in the padding stay empty.
function lensTable(lens, row, col, number, best, caption = "the window") {
  if (lens.kernel[0] * lens.kernel[1] > 64) return make("div", {});
  const table = make("table", { class: "numbers" });
  const values = [];
  for (let i = 0; i < lens.kernel[0]; i++) {
    for (let j = 0; j < lens.kernel[1]; j++) {
      const r = row * lens.stride[0] - lens.padding[0] + i * lens.dilation[0],
        c = col * lens.stride[1] - lens.padding[1] + j * lens.dilation[1];
      values.push([number(r, c, i, j), best && best[0] === r && best[1] === c]);
    }
  }
  const most = Math.max(...values.map(([value]) => Math.abs(value ?? 0)));
  for (let i = 0; i < lens.kernel[0]; i++) {
    table.append(
      make(
        "tr",
        {},
        ...values.slice(i * lens.kernel[1], (i + 1) * lens.kernel[1]).map(([value, chosen]) => {
          if (value === null) return make("td", { title: "padding", class: "soft" }, "·");
          const cell = numberCell(value, most, 3);
          if (chosen) cell.style.outline = "2px solid #101820";
          return cell;
        }),
      ),
    );
  }
  return make("div", { class: "scroll" }, make("div", { class: "soft small" }, caption), table);
}

function explainPixel(lens, row, col, pictures) {
  const value = lens.dx && lens.channel < lens.dx.count ? at(lens.dx, lens.channel, row, col) : NaN;
  if (!lens.conv) {
    const users = usersOf(lens, row, col).filter(
      ([r, c]) => !lens.max || (({ cell }) => cell[0] === row && cell[1] === col)(winnerOf(lens, r, c)),
    );
    pictures.y.mark(users.map(([r, c]) => [r, c, 1, 1]));
    const parts = users.map(([r, c]) => at(lens.dy, lens.output, r, c) / (lens.max ? 1 : poolDivisor(lens, r, c)));
    const words =
      lens.max && !users.length
        ? [make("div", {}, "This pixel is the largest of no window: no gradient comes back to it.")]
        : [];
    return [
      ...words,
      ...equation(
        parts.map((part) => written(part, 4)),
        parts.reduce((sum, part) => sum + part, 0),
        value,
        `dx[${row}, ${col}]`,
      ),
    ];
  }
  const users = usersOf(lens, row, col);
  pictures.y.mark(users.map(([r, c]) => [r, c, 1, 1]));
  pictures.w.mark(users.map(([, , i, j]) => [i, j, 1, 1]));
  const perGroup = lens.outputs / lens.groups;
  const shown = Math.min(lens.dy.count, lens.outputs, Math.floor(lens.w.count / lens.perGroup));
  let total = 0;
  const parts = [];
  for (let output = lens.group * perGroup; output < (lens.group + 1) * perGroup && output < shown; output++) {
    const part = users.reduce(
      (sum, [r, c, i, j]) => sum + at(lens.dy, output, r, c) * at(lens.w, output * lens.perGroup + lens.input, i, j),
      0,
    );
    total += part;
    parts.push(`${written(part, 4)}${perGroup > 1 ? ` (out ${output})` : ""}`);
  }
  const missing =
    shown < lens.outputs ? [make("div", { class: "soft" }, `only ${shown} of ${lens.outputs} output channels are in this file; recorded is ${written(value, 6)}`)] : [];
  return [
    make("div", {}, `${users.length} output cells × ${perGroup} channels: Σ dy · W`),
    ...equation(parts, total, shown < lens.outputs ? NaN : value, `dx[${row}, ${col}]`),
    ...missing,
  ];
}

function explainWeight(lens, row, col, pictures) {
  const frames = [],
    parts = [];
  let total = 0;
  for (let r = 0; r < lens.y.rows; r++) {
    for (let c = 0; c < lens.y.cols; c++) {
      const i = r * lens.stride[0] - lens.padding[0] + row * lens.dilation[0],
        j = c * lens.stride[1] - lens.padding[1] + col * lens.dilation[1];
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
  const note =
    lens.batch > 1
      ? [
          make(
            "div",
            { class: "soft" },
            `This is sample 0's part; dW[${row}, ${col}] = ${written(value, 6)} sums over all ${lens.batch} samples.`,
          ),
        ]
      : [];
  return [
    make("div", {}, `every framed pixel × the output gradient it met: ${frames.length} products, largest first`),
    ...equation(
      parts
        .slice(0, 6)
        .map((part) => written(part, 4))
        .concat(parts.length > 6 ? [`${parts.length - 6} more`] : []),
      total,
      lens.batch > 1 ? NaN : value,
      `dW[${row}, ${col}]`,
    ),
    ...note,
  ];
}
