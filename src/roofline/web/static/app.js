// The page: controls to an address, the address to questions, answers to a table and charts.

const DEFAULTS = { hw: "wse3,h100,b200", model: "llama-4-maverick", weights: "", kv: "", chips: "", batch: "1", context: "8192" };
const CHARTS = ["frontier", "dollars", "fit", "roofline"];
const byId = (id) => document.getElementById(id);
const views = {};
let records = [];
let turn = 0;

// State lives in the address: what is default is left out.
function state() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(DEFAULTS).map(([key, value]) => [key, given.get(key) ?? value]));
}

function query(of) {
  const found = new URLSearchParams();
  for (const [key, value] of Object.entries(of)) if (value !== "") found.set(key, value);
  return found;
}

function remember(next) {
  const kept = Object.entries(next).filter(([key, value]) => value !== DEFAULTS[key]);
  const text = new URLSearchParams(kept).toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

function show() {
  const now = state();
  for (const key of ["hw", "model", "weights", "kv", "chips"]) byId(key).value = now[key];
  for (const key of ["batch", "context"]) {
    byId(key).value = Math.log2(Number(now[key]));
    byId(`${key}-shown`).textContent = Number(now[key]).toLocaleString("en-US");
  }
}

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? `status ${answer.status}`);
  return body;
}

function complain(error) {
  byId("error").hidden = !error;
  byId("error").textContent = error ? error.message : "";
}

// Three significant digits, as the command line prints them.
function significant(value) {
  if (value === undefined || value === null) return "-";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const rounded = Number(value.toPrecision(3));
  return rounded.toLocaleString("en-US", { maximumFractionDigits: Math.min(20, digits) });
}
const dollars = (value) => (value === undefined ? "-" : `$${significant(value)}`);
const percent = (value) => (value === undefined ? "-" : `${(100 * value).toFixed(1)}%`);

const ROWS = [
  ["chips", (r) => r.chips.toLocaleString("en-US")],
  ["estimate", (r) => r.estimate.replaceAll("_", " ")],
  ["fits", (r) => (r.fits ? "yes" : "no")],
  ["tok/s of one user", (r) => significant(r.tokens_per_second_per_user), "speed"],
  ["90 % interval", (r) => (r.tokens_per_second_per_user_low === undefined ? "-"
    : `${significant(r.tokens_per_second_per_user_low)} to ${significant(r.tokens_per_second_per_user_high)}`)],
  ["tok/s of all", (r) => significant(r.tokens_per_second)],
  ["users that fit", (r) => (r.users ?? 0).toLocaleString("en-US")],
  ["first token [s]", (r) => significant(r.ttft_seconds)],
  ["bound by", (r) => r.bound ?? "-"],
  ["rent per hour", (r) => dollars(r.usd_per_hour)],
  ["price basis", (r) => (r.price_basis ? `${r.price_basis}${r.price_date ? `, ${r.price_date}` : ""}` : "-")],
  ["$/M output", (r) => dollars(r.usd_per_million_output_tokens)],
  ["list price, $/M output", (r) => dollars(r.retail_usd_per_million_output_tokens)],
  ["electricity, $/M output", (r) => dollars(r.electricity_usd_per_million_output_tokens)],
  ["electricity / list price", (r) => percent(r.electricity_share_of_retail_output)],
];

function fill(found) {
  records = found;
  const table = byId("table");
  table.replaceChildren();
  const head = table.createTHead().insertRow();
  const corner = document.createElement("th");
  corner.scope = "col";
  corner.textContent = found[0]?.model ?? "";
  head.append(corner);
  for (const record of found) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = record.scenario ? `${record.hardware} (${record.scenario})` : record.hardware;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const [label, text, mark] of ROWS) {
    const row = body.insertRow();
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = label;
    row.append(name);
    for (const record of found) {
      const cell = row.insertCell();
      cell.textContent = text(record);
      if (mark) cell.dataset[mark] = record.hardware;
    }
  }
  byId("note").textContent = [...new Set(found.flatMap((record) => record.warnings ?? []))].join("; ");
}

async function draw(kind, mine, asked) {
  // Axes and labels take about 90 pixels beside the plot.
  const width = Math.max(240, Math.min(460, byId(kind).clientWidth - 90));
  const spec = await ask(`/api/chart/${kind}?${asked}&width=${width}`);
  if (mine !== turn) return;
  // Expressions are interpreted, not compiled: the page's policy forbids evaluating text.
  const options = { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: false };
  views[kind]?.finalize();
  views[kind] = await window.vegaEmbed(`#${kind}`, spec, options);
}

async function update() {
  const mine = ++turn;
  const now = state();
  const asked = query(now);
  try {
    const found = await ask(`/api/compare?${asked}`);
    if (mine !== turn) return;
    complain(null);
    fill(found.records);
    await Promise.all(CHARTS.map((kind) => draw(kind, mine, asked).catch(() => byId(kind).replaceChildren("no chart"))));
  } catch (error) {
    if (mine === turn) complain(error);
  }
}

let waiting = 0;
function soon() {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(update);
}

function change(part) {
  remember({ ...state(), ...part });
  show();
  soon();
}

function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

function csv(rows) {
  const keys = [...new Set(rows.flatMap(Object.keys))];
  const cell = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  return [keys, ...rows.map((row) => keys.map((key) => row[key]))].map((line) => line.map(cell).join(",")).join("\n");
}

async function upload() {
  const [file] = byId("file").files;
  if (!file) return;
  const now = state();
  const body = { kind: byId("kind").value, text: await file.text(), model: now.model, batch: Number(now.batch) };
  Object.assign(body, { hw: now.hw.split(",")[0], context: Number(now.context) });
  try {
    const headers = { "content-type": "application/json" };
    const found = await ask("/api/upload", { method: "POST", headers, body: JSON.stringify(body) });
    complain(null);
    fill(found.records);
  } catch (error) {
    complain(error);
  }
}

async function begin() {
  const names = await ask("/api/names");
  for (const name of names.hw) {
    byId("known").append(new Option(name, name));
    byId("add").append(new Option(name, name));
  }
  for (const name of names.model) byId("model").append(new Option(name, name));
  show();
  for (const key of ["hw", "model", "weights", "kv", "chips"]) {
    byId(key).addEventListener("change", (event) => change({ [key]: event.target.value }));
  }
  byId("add").addEventListener("change", (event) => {
    if (event.target.value) change({ hw: [...state().hw.split(","), event.target.value].filter(Boolean).join(",") });
    event.target.value = "";
  });
  for (const key of ["batch", "context"]) {
    byId(key).addEventListener("input", (event) => change({ [key]: String(2 ** Number(event.target.value)) }));
  }
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("file").addEventListener("change", upload);
  byId("json").addEventListener("click", () => download("roofline.json", "application/json", JSON.stringify(records, null, 2)));
  byId("csv").addEventListener("click", () => download("roofline.csv", "text/csv", csv(records)));
  byId("svg").addEventListener("click", async () => {
    download("roofline.svg", "image/svg+xml", await views.frontier.view.toSVG());
  });
  window.addEventListener("popstate", () => { show(); soon(); });
  await update();
}

begin().catch(complain);
