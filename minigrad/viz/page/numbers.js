// Numbers and pictures of numbers: text, colours, thumbnails with an exact value under the pointer.

function make(name, attributes, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...content.filter((part) => part !== null && part !== undefined && part !== false));
  return element;
}

function draw(name, attributes, ...content) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes ?? {}))
    if (value !== undefined) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

// At most `digits` significant digits, no zeros that say nothing.
function written(value, digits = 6) {
  const number = Number(value);
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "∞" : "−∞";
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 10 ** digits || size < 1e-4)
    return number
      .toExponential(digits - 1)
      .replace(/\.?0+e/, "e")
      .replace("e+", "e")
      .replace("-", "−")
      .replace("e-", "e−");
  const text = number.toPrecision(digits);
  return (text.includes(".") ? text.replace(/\.?0+$/, "") : text).replace("-", "−");
}

function percent(share) {
  const value = 100 * share;
  return `${value > 0 && value < 0.1 ? "< 0.1" : value > 99.9 && value < 100 ? "> 99.9" : value.toFixed(value < 10 && value % 1 ? 1 : 0)} %`;
}

function statsLine(stats) {
  const line = make("div", { class: "stats" });
  if (!stats) return line;
  const say = (word, value, digits = 5) =>
    line.append(line.childNodes.length ? " · " : "", `${word} `, make("b", {}, written(value, digits)));
  if (stats.size === 0) line.append("no elements");
  else if (stats.size === 1) say("value", stats.min, 9);
  else {
    say("norm", stats.norm);
    say("from", stats.min);
    say("to", stats.max);
    say("mean", stats.mean);
    if (stats.zeros > 0) line.append(" · ", make("b", {}, percent(stats.zeros)), " zero");
  }
  if (stats.nan) line.append(" · ", make("span", { class: "alarm" }, `${stats.nan} NaN`));
  if (stats.inf) line.append(" · ", make("span", { class: "alarm" }, `${stats.inf} infinite`));
  return line;
}

// Any array of the document as planes of numbers; null if it was left out.
const unpacked = new Map();
function planesOf(index, shape) {
  if (index === null || index === undefined) return null;
  const key = `${index} ${shape}`;
  if (!unpacked.has(key)) unpacked.set(key, unpack(recorded.data[index], shape));
  return unpacked.get(key);
}

function unpack(data, shape) {
  if (!data) return null;
  if (data.numbers !== undefined) {
    const values = [data.numbers].flat(Infinity).map(Number);
    const cols = shape.length ? shape[shape.length - 1] : 1;
    const rows = shape.length > 1 ? shape[shape.length - 2] : 1;
    const count = rows * cols ? values.length / (rows * cols) : 0;
    return {
      values,
      rows,
      cols,
      count,
      shape,
      small: true,
      step: [1, 1],
      whole: true,
      label: (plane) => indexOf(plane, shape.slice(0, -2)),
    };
  }
  const { count, rows, cols, step = [1, 1], of = [] } = data.planes;
  const bytes = bytesOf(data.planes.f32);
  const values = new Float32Array(bytes.buffer, 0, bytes.length >> 2);
  const whole = step[0] === 1 && step[1] === 1;
  const label = (plane) => (Array.isArray(of) ? (of[plane] ?? `plane ${plane}`) : of);
  return { values, rows, cols, count, shape, small: false, step, whole, label };
}

// "[2, 0, " ... the leading indices of a plane.
function indexOf(plane, leading) {
  const index = [];
  for (let axis = leading.length - 1; axis >= 0; axis--) {
    index.unshift(plane % leading[axis]);
    plane = Math.floor(plane / leading[axis]);
  }
  return index.join(", ");
}

function largest(planes) {
  if (planes.most === undefined) {
    planes.most = 0;
    for (const value of planes.values)
      if (Math.abs(value) > planes.most && Number.isFinite(value)) planes.most = Math.abs(value);
  }
  return planes.most;
}

// The two ends are equally far from white, so that equal sizes look equally strong.
const PALETTES = {
  green: { positive: [0, 130, 70], negative: [176, 8, 16], words: "green and red" },
  blue: { positive: [0, 90, 170], negative: [190, 70, 0], words: "blue and orange" },
};
const NO_NUMBER = [142, 60, 200];

const SHADES = 512;
const tables = {}; // palette -> colours of the shades, positive ones first, as [red, green, blue] and as pixels

function tableOf(palette) {
  if (!tables[palette]) {
    const { positive, negative } = PALETTES[palette];
    const shades = [positive, negative].flatMap((end) =>
      Array.from({ length: SHADES }, (_, shade) =>
        end.map((part) => Math.round(255 + (part - 255) * (shade / (SHADES - 1)) ** 0.7)),
      ),
    );
    shades.push(NO_NUMBER);
    tables[palette] = { shades, pixels: Uint8ClampedArray.from(shades.flatMap((shade) => [...shade, 255])) };
  }
  return tables[palette];
}

// The place of a value's colour in the table: zero is white, the largest value is the full colour.
function shadeOf(value, most) {
  if (value !== value) return 2 * SHADES;
  const size = value < 0 ? -value : value;
  const shade =
    size >= most ? (size > 0 ? SHADES - 1 : 0) : Math.max(size > 0 ? 1 : 0, Math.round((size / most) * (SHADES - 1)));
  return value < 0 ? SHADES + shade : shade;
}

function colour(value, most) {
  return tableOf(state.palette).shades[shadeOf(value, most)];
}

function paintPlane(canvas, planes, plane, most) {
  canvas.width = Math.max(planes.cols, 1);
  canvas.height = Math.max(planes.rows, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.createImageData(canvas.width, canvas.height);
  const colours = new Uint32Array(tableOf(state.palette).pixels.buffer);
  const pixels = new Uint32Array(image.data.buffer);
  const size = planes.rows * planes.cols,
    start = plane * size;
  for (let place = 0; place < size; place++) pixels[place] = colours[shadeOf(planes.values[start + place], most)];
  context.putImageData(image, 0, 0);
}

// Pictures are painted together before the browser shows the next frame; a step that comes before that drops them. So
// stepping stays quick however many pictures a card has, and none is ever seen blank.
let unpainted = [];

function paintLater(canvas, planes, plane, most) {
  canvas.width = Math.max(planes.cols, 1);
  canvas.height = Math.max(planes.rows, 1);
  unpainted.push([canvas, planes, plane, most]);
  if (unpainted.length === 1) requestAnimationFrame(paintAll);
}

function paintAll() {
  for (const picture of unpainted) paintPlane(...picture);
  unpainted = [];
}

function sizeOnScreen(planes, wanted) {
  if (planes.rows === 1) return [planes.cols * Math.min(16, 300 / planes.cols), 16];
  const room = planes.count === 1 ? 3 * wanted : wanted; // a single picture may be large, and a sliver longer
  const factor = Math.min(18, room / Math.max(planes.rows, planes.cols, 1));
  const sliver = Math.max(
    1,
    Math.min(10 / (factor * Math.min(planes.rows, planes.cols)), 280 / (factor * Math.max(planes.rows, planes.cols))),
  );
  return [Math.max(2, planes.cols * factor * sliver), Math.max(2, planes.rows * factor * sliver)];
}

// One plane as a picture; `more(row, col)` may add lines to what the pointer reads.
function thumbnail(planes, plane, { tensor, what, wanted = 56, most = largest(planes), more, label } = {}) {
  const canvas = make("canvas", {
    "data-tensor": tensor,
    "data-plane": plane,
    "data-what": what,
    tabindex: 0,
    role: "img",
    "aria-label": `${what ?? "values"} of ${tensor === undefined ? "an array" : nameOfTensor(tensor)}, plane ${plane}`,
  });
  paintLater(canvas, planes, plane, most);
  const [width, height] = sizeOnScreen(planes, wanted);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  watchCells(canvas, planes.rows, planes.cols, (row, col) => {
    const value = planes.values[(plane * planes.rows + row) * planes.cols + col];
    const at = [row * planes.step[0], col * planes.step[1]].slice(
      planes.shape.length < 2 ? 1 : 0,
      planes.shape.length === 0 ? 1 : 2,
    );
    const where = planes.small
      ? `[${[planes.label(plane), ...at].filter((part) => part !== "").join(", ")}]`
      : `${planes.label(plane)} [${at.join(", ")}]`;
    return [`${label ? `${label} ` : ""}${where} = ${written(value, 7)}`, ...(more ? more(row, col) : [])].join("\n");
  });
  return canvas;
}

// Call `read(row, col)` for the cell under the pointer, or under the arrow keys once the canvas has the focus.
function watchCells(canvas, rows, cols, read, leave) {
  let at = [0, 0];
  const show = (row, col, x, y) => {
    at = [Math.max(0, Math.min(rows - 1, row)), Math.max(0, Math.min(cols - 1, col))];
    const text = read(...at);
    if (text) readout(text, x, y);
  };
  const away = () => {
    readout(null);
    leave?.();
  };
  canvas.addEventListener("pointermove", (event) => {
    const frame = canvas.getBoundingClientRect();
    show(
      Math.floor(((event.clientY - frame.top) / frame.height) * rows),
      Math.floor(((event.clientX - frame.left) / frame.width) * cols),
      event.clientX,
      event.clientY,
    );
  });
  canvas.addEventListener("pointerleave", away);
  canvas.addEventListener("blur", away);
  const cell = () => {
    const frame = canvas.getBoundingClientRect();
    show(...at, frame.left + ((at[1] + 0.5) * frame.width) / cols, frame.top + ((at[0] + 0.5) * frame.height) / rows);
  };
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && cell());
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    at = [Math.max(0, Math.min(rows - 1, at[0] + move[0])), Math.max(0, Math.min(cols - 1, at[1] + move[1]))];
    cell();
  });
}

function readout(text, x, y) {
  const box = document.getElementById("readout");
  box.hidden = text === null;
  if (text === null) return;
  box.textContent = text;
  const width = box.offsetWidth,
    height = box.offsetHeight;
  box.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 6))}px`;
  box.style.top = `${y + 18 + height > innerHeight ? y - height - 10 : y + 18}px`;
}

const FIRST_PLANES = 12;

// All planes of an array, the scale of its colours, and the numbers themselves where they are few.
function picture(index, shape, tensor, what) {
  const planes = planesOf(index, shape);
  const element = make("div", { class: "picture" });
  if (!planes || !planes.values.length) return element;
  if (planes.values.length > 1) {
    const row = make("div", { class: "planes" });
    const add = (from, to) => {
      for (let plane = from; plane < Math.min(to, planes.count); plane++)
        row.append(thumbnail(planes, plane, { tensor, what }));
      if (to < planes.count) {
        const more = make(
          "button",
          {
            type: "button",
            class: "link more",
            onclick: () => {
              more.remove();
              add(to, to + 64);
            },
          },
          `${planes.count - to} more`,
        );
        row.append(more);
      }
    };
    add(0, FIRST_PLANES);
    element.append(row, ramp(largest(planes)));
    if (!planes.whole)
      element.append(
        make(
          "p",
          { class: "soft small" },
          `shown: ${["row", "column"].map((axis, i) => `every ${{ 1: "", 2: "second ", 3: "third " }[planes.step[i]] ?? `${planes.step[i]}th `}${axis}`).join(", ")}`,
        ),
      );
  }
  if (planes.small && planes.values.length <= 16 && planes.values.length > 1) element.append(numbersTable(planes));
  return element;
}

function numbersTable(planes, most = largest(planes)) {
  const table = make("table", { class: "numbers" });
  const lines = planes.rows * planes.count;
  for (let line = 0; line < lines; line++) {
    const row = make("tr", {});
    for (let col = 0; col < planes.cols; col++) row.append(numberCell(planes.values[line * planes.cols + col], most));
    table.append(row);
  }
  return make("div", { class: "scroll" }, table);
}

function numberCell(value, most, digits = 5) {
  const cell = make("td", { title: written(value, 9) }, written(value, digits));
  const [red, green, blue] = colour(value, most);
  cell.style.background = `rgb(${[red, green, blue].map((part) => Math.round(255 - (255 - part) * 0.55)).join(",")})`;
  return cell;
}

function ramp(most) {
  const bar = make("i", { "aria-hidden": "true" });
  const stops = Array.from({ length: 17 }, (_, i) => `rgb(${colour(((i - 8) / 8) * most, most).join(",")})`);
  bar.style.background = `linear-gradient(90deg, ${stops.join(", ")})`;
  return make("div", { class: "ramp" }, written(-most, 4), bar, `${most ? "+" : ""}${written(most, 4)}`);
}
