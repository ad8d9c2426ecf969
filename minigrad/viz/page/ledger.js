// The ledger: where paths meet, what each of them contributes to a gradient, and that the parts sum to the total.

function ledgerSection(event) {
  const met = event.step.arriving.filter(Boolean).map((entry) => entry.tensor);
  const meeting = event.step.leaving.filter((entry) => entry.stats).map((entry) => entry.tensor);
  const ids = [...new Set([...(event.leaf === null ? met : [event.leaf]), ...meeting])];
  const books = ids.map((id) => ledgerOfTensor(event.pass, id, state.position, true)).filter(Boolean);
  return books.length ? make("div", {}, ...books) : null;
}

// The ledger of one tensor in a pass, or null where there is a single path (unless it was asked for).
function ledgerOfTensor(pass, id, position, onlyWhereMet = false) {
  const entries = ledgerOf(pass, id);
  if (entries.length < (onlyWhereMet ? 2 : 1)) return null;
  const total = totalOf(pass, id);
  const norms = entries.map(({ entry }) => Number(entry.stats.norm));
  const sum = norms.reduce((all, norm) => all + (Number.isFinite(norm) ? norm : 0), 0);
  const shares = norms.map((norm, i) => entries[i].entry.share ?? (sum > 0 && Number.isFinite(norm) ? norm / sum : 0));
  const planes = [...entries.map(({ entry }) => entry), total].map((entry) =>
    entry ? planesOf(entry.data, tensors[id].shape) : null,
  );
  const most = Math.max(...planes.map((found) => (found ? largest(found) : 0)));
  const plain = entries.map(({ step }) => (step.node === null ? "the seed" : nameOfNode(nodes[step.node])));
  const names = plain.map((name, i) => {
    const again = plain.some((other, j) => j !== i && other === name);
    const [turn, times] = turnOfNode[entries[i].step.node] ?? [1, 1];
    return again && times > 1 ? `${name} #${turn}` : name;
  });
  const addition = (row, col) =>
    planes.every(Boolean)
      ? [
          `${planes
            .slice(0, -1)
            .map((found) => written(found.values[row * found.cols + col], 5))
            .join(" + ")
            .replaceAll("+ −", "− ")} = ${written(planes.at(-1).values[row * planes.at(-1).cols + col], 5)}`,
        ]
      : [];
  const preview = (found, what) =>
    found && found.values.length
      ? make("div", { class: "planes" }, thumbnail(found, 0, { tensor: id, what, wanted: 34, most, more: addition }))
      : null;
  const rows = entries.map(({ step, entry }, i) =>
    make(
      "tr",
      {
        "data-ledger-row": "",
        "data-norm": entry.stats.norm,
        "data-share": shares[i],
        "data-node-of": step.node ?? undefined,
        class: stepAt[pass][step.index] > position ? "coming" : "",
      },
      make(
        "td",
        {},
        step.node === null ? names[i] : nodeLink(step.node, names[i]),
        step.node === null ? null : make("div", { class: "soft small" }, pathOfNode(nodes[step.node])),
      ),
      make("td", {}, preview(planes[i], "contribution")),
      make("td", { class: "number" }, written(entry.stats.norm, 4)),
      make("td", {}, shareBar(shares[i])),
      make("td", { class: "number" }, percent(shares[i])),
    ),
  );
  const totalRow =
    total &&
    make(
      "tr",
      { "data-ledger-total": "", "data-norm": total.stats.norm },
      make("td", {}, "sum"),
      make("td", {}, preview(planes.at(-1), "total")),
      make("td", { class: "number" }, written(total.stats.norm, 4)),
      make("td", {}),
      make("td", {}),
    );
  const small =
    planes.every(Boolean) &&
    planes.at(-1).small &&
    planes.at(-1).values.length <= 16 &&
    entries.length <= 6 &&
    entries.length > 1;
  return section(
    "ledger",
    ["Where paths meet", make("span", { class: "small" }, "norm, share")],
    make(
      "p",
      { class: "small" },
      "d ",
      tensorLink(id),
      " = ",
      names.length <= 4 ? names.map((name) => `d via ${name}`).join(" + ") : `the sum over ${names.length} paths`,
    ),
    make("div", { class: "scroll" }, make("table", { class: "ledger", "data-ledger": id }, ...rows, totalRow || null)),
    small ? sumOfNumbers(planes, most) : null,
  );
}

function shareBar(share) {
  return draw(
    "svg",
    { class: "share", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { class: "ground", width: 100, height: 8 }),
    draw("rect", { class: "part", width: (100 * Math.max(0, Math.min(1, share))).toFixed(2), height: 8 }),
  );
}

// For a handful of numbers: the addition itself, element by element.
function sumOfNumbers(planes, most) {
  const table = make("table", { class: "numbers" });
  planes.at(-1).values.forEach((_, place) => {
    const row = make("tr", {});
    planes.forEach((found, i) => {
      if (i) row.append(make("th", {}, i === planes.length - 1 ? "=" : "+"));
      row.append(numberCell(found.values[place], most));
    });
    table.append(row);
  });
  return make("div", { class: "scroll" }, table);
}
