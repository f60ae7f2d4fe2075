// Records to the table of numbers, in the words and digits of the command line.

// Three significant digits.
export function significant(value) {
  if (value === undefined || value === null) return "-";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const rounded = Number(value.toPrecision(3));
  return rounded.toLocaleString("en-US", { maximumFractionDigits: Math.min(20, digits) });
}

export function seconds(value) {
  if (value === undefined) return "-";
  const [scale, unit] = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]].find(([s]) => value >= s * 0.9995) ?? [1e-9, "ns"];
  return `${significant(value / scale)} ${unit}`;
}

export const count = (value) => (value === undefined ? "-" : value.toLocaleString("en-US"));
const dollars = (value) => (value === undefined ? "-" : `$${significant(value)}`);
const percent = (value) => (value === undefined ? "-" : `${significant(100 * value)} %`);
const words = (value) => (value === undefined ? "-" : value.replaceAll("_", " ").replaceAll("-", " "));
const span = (r, key) => (r[`${key}_low`] === undefined ? "-" : `${significant(r[`${key}_low`])} to ${significant(r[`${key}_high`])}`);

function split(r) {
  if (r.execution === "spatial") return "by layers";
  return ["tp", "pp", "dp", "ep"].filter((k) => (r[k] ?? 1) !== 1).map((k) => `${k} ${r[k]}`).join(" x ") || "-";
}

// Groups of rows: which records, a heading from the state, and (key, label, text of a record).
const GROUPS = [
  ["compare", (s) => `A step: batch ${count(Number(s.batch))}, context ${count(Number(s.context))}`, [
    ["chips", "chips of one copy", (r) => count(r.chips)],
    ["split", "split", split],
    ["engine", "engine", (r) => r.engine ?? "-"],
    ["estimate", "estimate", (r) => words(r.estimate_kind ?? r.estimate)],
    ["fits", "fits", (r) => (r.fits ? "yes" : `no, needs ${count(r.chips_needed)}`)],
    ["speed", "tok/s of one user", (r) => significant(r.tokens_per_second_per_user)],
    ["interval", "90 % interval", (r) => span(r, "tokens_per_second_per_user")],
    ["all", "tok/s of all", (r) => significant(r.tokens_per_second)],
    ["users", "users that fit", (r) => count(r.users ?? 0)],
    ["bound", "bound by", (r) => r.bound ?? "-"],
    ["first", "first token of a prompt alone", (r) => seconds(r.ttft_seconds)],
  ]],
  ["serve", (s) => `A service: ${count(Number(s.concurrency))} users, ${count(Number(s.isl))} tokens in, ${count(Number(s.osl))} out`, [
    ["served-estimate", "estimate", (r) => words(r.estimate_kind ?? r.estimate)],
    ["ttft", "first token", (r) => seconds(r.ttft_seconds)],
    ["ttft99", "first token, 99 of 100", (r) => seconds(r.ttft_p99_seconds)],
    ["tpot", "per later token", (r) => seconds(r.tpot_seconds)],
    ["served-speed", "tok/s of one user", (r) => significant(r.tokens_per_second_per_user)],
    ["requests", "requests per second", (r) => significant(r.requests_per_second)],
    ["served-dollars", "rent, $/M output", (r) => dollars(r.usd_per_million_output_tokens)],
  ]],
  ["compare", (s) => `Dollars of the step: busy ${Math.round(100 * s.utilisation)} % of the paid time`, [
    ["rent", "rent per hour", (r) => dollars(r.usd_per_hour)],
    ["basis", "price basis", (r) => (r.price_basis ? `${words(r.price_basis)}${r.price_date ? `, ${r.price_date}` : ""}` : "-")],
    ["input", "$/M input", (r) => dollars(r.usd_per_million_input_tokens)],
    ["output", "$/M output", (r) => dollars(r.usd_per_million_output_tokens)],
    ["list-input", "list price, $/M input", (r) => dollars(r.retail_usd_per_million_input_tokens)],
    ["list", "list price, $/M output", (r) => dollars(r.retail_usd_per_million_output_tokens)],
    ["electricity", "electricity, $/M output", (r) => dollars(r.electricity_usd_per_million_output_tokens)],
    ["share", "electricity / list price", (r) => percent(r.electricity_share_of_retail_output)],
  ]],
];

const heading = (record) => (record.scenario ? `${record.hardware} (${record.scenario})` : record.hardware);

function cell(row, tag, text, scope) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (scope) made.scope = scope;
  row.append(made);
  return made;
}

// Columns are {compare, serve, label}: the records of one chip; those of a service may be missing.
export function fill(table, columns, state) {
  const labels = columns.map((column) => column.label ?? heading(column.compare));
  table.replaceChildren();
  const head = table.createTHead().insertRow();
  cell(head, "th", columns[0].compare.model, "col");
  for (const label of labels) cell(head, "th", label, "col");
  for (const [source, title, rows] of GROUPS) {
    if (!columns.some((column) => column[source])) continue;
    const body = table.createTBody();
    const group = cell(body.insertRow(), "th", title(state), "rowgroup");
    group.colSpan = columns.length + 1;
    for (const [key, label, text] of rows) {
      const row = body.insertRow();
      cell(row, "th", label, "row");
      columns.forEach((column, i) => {
        const made = cell(row, "td", column[source] ? text(column[source]) : "-");
        Object.assign(made.dataset, { row: key, chip: labels[i] });
      });
    }
  }
}
