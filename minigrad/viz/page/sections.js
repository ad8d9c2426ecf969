// The sections of an operation's card.

function formulaSection(node, backward) {
  const shapes = make("table", { class: "facts" });
  const line = (name, tensor) =>
    tensor !== null &&
    tensor !== undefined &&
    shapes.append(
      make(
        "tr",
        {},
        make("th", {}, name),
        make("td", {}, tensorLink(tensor)),
        make("td", { class: "mono" }, shapeOf(tensors[tensor])),
      ),
    );
  node.inputs.forEach((tensor, place) => line(inputName(node, place), tensor));
  node.outputs.forEach((tensor, place) => line(node.outputs.length > 1 ? `result ${place + 1}` : "result", tensor));
  const formulas = backward ? [node.formula, node.forward_formula] : [node.forward_formula, node.formula];
  const sized = backward ? node.formula_shapes : node.forward_shapes;
  const words = backward ? ["Derivative", "forward"] : ["Formula", "derivative"];
  return section(
    "formula",
    words[0],
    formulas[0] && make("div", { class: "formula" }, formulas[0]),
    shapes,
    sized &&
      sized !== formulas[0] &&
      make("p", { class: "small soft" }, "with shapes: ", make("span", { class: "mono" }, sized)),
    formulas[1] && make("p", { class: "small soft" }, `${words[1]}: `, make("span", { class: "mono" }, formulas[1])),
  );
}

function settingsSection(node) {
  const shown = (node.arguments ?? []).filter(([, text]) => text !== "" && text !== null);
  const flags = [
    ...(node.flags ?? []).map((flag) => flag.replaceAll("_", " ")),
    ...(node.recorded || node.flags?.includes("failed") ? [] : ["not recorded: no gradient flows here"]),
  ];
  if (!shown.length && !flags.length) return null;
  return section(
    "arguments",
    "Settings",
    shown.length
      ? make(
          "table",
          { class: "facts" },
          ...shown.map(([name, text]) => make("tr", {}, make("th", {}, name), make("td", { class: "mono" }, text))),
        )
      : null,
    flags.length ? make("div", {}, ...flags.map((flag) => tag(flag, flag.startsWith("not") ? "bad" : ""))) : null,
  );
}

function arrivingSection(node, event) {
  const entries = event.step.arriving.filter((entry) => entry !== null);
  return section(
    "arriving",
    "Gradient arriving",
    ...(entries.length
      ? entries.map((entry, place) =>
          flow("arriving", {
            tensor: entry.tensor,
            name: entries.length > 1 ? `d result ${place + 1}` : "d result",
            shape: tensors[entry.tensor] ?? { shape: [] },
            stats: entry.stats,
            data: entry.data,
            what: "gradient",
            tags: event.step.hooked?.includes(place) ? [tag("replaced by a hook", "sum")] : [],
          }),
        )
      : [make("p", { class: "soft" }, "None: no gradient reached this operation.")]),
  );
}

function leavingSection(node, event) {
  const flows = event.step.leaving.map((entry) => {
    const shape = tensors[entry.tensor] ?? { shape: [], dtype: "float32" };
    const tags = [];
    if (entry.summed?.length)
      tags.push(tag(`summed over axes (${entry.summed.join(", ")}${entry.summed.length === 1 ? "," : ""})`, "sum"));
    if (entry.raw) tags.push(tag(`was ${shapeOf(entry.raw)}, norm ${written(entry.raw.stats.norm, 4)}`));
    if (entry.cast) tags.push(tag(`cast ${entry.cast.replace("->", " → ")}`, "sum"));
    const name = `d ${inputName(node, entry.input)}`;
    if (!entry.stats)
      return make(
        "div",
        { class: "flow none" },
        make("div", { class: "name" }, make("b", {}, name), make("span", { class: "soft" }, "None")),
      );
    const paths = ledgerOf(event.pass, entry.tensor).length;
    if (paths > 1) tags.push(tag(`one of ${paths} paths to ${nameOfTensor(entry.tensor)}`));
    return flow("leaving", {
      tensor: entry.tensor,
      name: `${name} → ${nameOfTensor(entry.tensor)}`,
      shape,
      stats: entry.stats,
      data: entry.data,
      tags,
      what: "gradient",
    });
  });
  const without = node.inputs
    .map((tensor, place) => [tensor, place])
    .filter(([tensor, place]) => tensor !== null && !event.step.leaving.some((entry) => entry.input === place));
  return section(
    "leaving",
    "Gradients leaving",
    ...flows,
    without.length
      ? make(
          "p",
          { class: "small soft" },
          "No gradient is asked for: ",
          ...without.flatMap(([tensor, place], i) => [i ? ", " : "", tensorLink(tensor, inputName(node, place))]),
        )
      : null,
  );
}

function localSection(event) {
  const entries = event.step.local ?? [];
  return section(
    "local",
    "Local derivative",
    ...entries.map((entry) => {
      const values =
        entry.numbers === null || entry.numbers === undefined
          ? null
          : unpack({ numbers: entry.numbers }, dimensions(entry.numbers));
      return make(
        "div",
        {},
        make("p", { class: "mono" }, entry.text ?? ""),
        values && values.values.length <= 256 ? numbersTable(values) : null,
      );
    }),
  );
}

function dimensions(numbers) {
  return Array.isArray(numbers) ? [numbers.length, ...(numbers.length ? dimensions(numbers[0]) : [])] : [];
}

const CHECKS = { agrees: ["✓ agrees", "good"], disagrees: ["✗ disagrees", "bad"], "not checked": ["not checked", ""] };

function checkSection(check) {
  if (!check) return null;
  const [words, kind] = CHECKS[check.state] ?? [check.state, ""];
  return section(
    "check",
    "Derivative against finite differences",
    make("div", { "data-check": check.state }, tag(words, kind)),
    check.text ? make("p", { class: "small soft" }, check.text) : null,
  );
}

function savedSection(node) {
  if (!node.saved?.length) return null;
  return section(
    "saved",
    ["Saved for backward", make("span", { class: "small" }, bytes(node.saved_bytes ?? 0))],
    ...node.saved.map((saved, place) => {
      const name = node.saved_names?.[place];
      if (typeof saved === "number")
        return make(
          "p",
          { class: "small" },
          name ? make("span", { class: "mono" }, `${name} = `) : null,
          tensorLink(saved),
          make("span", { class: "soft mono" }, `  ${shapeOf(tensors[saved])}`),
        );
      return flow("value", {
        tensor: null,
        name: name || "computed between",
        shape: saved,
        stats: saved.stats,
        data: saved.data,
        what: "saved",
      });
    }),
  );
}

function bytes(count) {
  return count < 1000
    ? `${count} bytes`
    : count < 1e6
      ? `${(count / 1000).toPrecision(3)} kB`
      : `${(count / 1e6).toPrecision(3)} MB`;
}

function valuesSection(node, inputs) {
  const value = (id, name) =>
    flow("value", {
      tensor: id,
      name,
      shape: tensors[id],
      stats: tensors[id].stats,
      data: tensors[id].data,
      what: "value",
    });
  const outputs = node.outputs.map(
    (id, place) =>
      id !== null && value(id, tensors[id].name || (node.outputs.length > 1 ? `result ${place + 1}` : "result")),
  );
  const given = [...new Set(node.inputs)]
    .filter((id) => id !== null)
    .map((id) => value(id, `${inputName(node, node.inputs.indexOf(id))} ← ${nameOfTensor(id)}`));
  return section("values", "Values", ...outputs.filter(Boolean), ...(inputs ? given : []));
}

function whySection(ids) {
  const entries = [...new Set(ids)].filter((id) => id !== null && tensors[id].why);
  return section(
    "why",
    "Why no gradient?",
    ...entries.map((id) => {
      const why = tensors[id].why;
      return make(
        "div",
        { "data-why": why.cause },
        make(
          "p",
          {},
          tensorLink(id),
          ` has ${why.state === "zero" ? "a gradient of zeros" : "no gradient"}.  `,
          tag(why.cause.replaceAll("_", " "), "bad"),
        ),
        make("p", {}, why.text),
        why.line ? make("p", { class: "mono small soft" }, why.line) : null,
        why.node !== null && why.node !== undefined
          ? make("p", { class: "small" }, "cut at ", nodeLink(why.node))
          : null,
      );
    }),
  );
}

function sourceSection(node) {
  return node.source || node.line
    ? section(
        "source",
        ["Source", make("span", { class: "mono small" }, node.line ?? "")],
        node.source ? make("div", { class: "formula" }, node.source) : null,
      )
    : null;
}
