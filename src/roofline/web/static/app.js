// The page: controls to an address, the address to questions, answers to a table and charts.
import { count, fill, significant } from "./table.js";

const DEFAULTS = {
  hw: "wse3,h100,b200", model: "llama-4-maverick", weights: "", experts: "", kv: "", engine: "",
  chips: "", tp: "", pp: "", dp: "", ep: "",
  batch: "1", context: "8192", isl: "4096", osl: "1024", concurrency: "8",
  utilisation: "1", usd_per_hour: "", basis: "", usd_per_kwh: "0.0929", provider: "", list_price: "", of: "",
};
const SLIDERS = ["batch", "context", "isl", "osl", "concurrency"]; // by powers of two
const FIELDS = Object.keys(DEFAULTS).filter((key) => ![...SLIDERS, "utilisation"].includes(key));
// Which state each command takes, by its own option names.
const WHERE = ["weights", "experts", "kv", "engine", "chips"];
const DEGREES = ["tp", "pp", "dp", "ep"];
const MONEY = ["usd_per_hour", "basis", "utilisation"];
const byId = (id) => document.getElementById(id);
const views = {};
let records = [];
let own = null; // a file of one's own: kept here alone
let drawable = []; // chips that the last answer had
let active = 0;

// Run a task; whoever calls while it runs makes it run once more after, so that only the newest state is waited for.
function latest(task) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    active += 1;
    byId("answer").ariaBusy = "true";
    while (again) {
      again = false;
      await task().catch((error) => complain([error.message]));
    }
    running = false;
    active -= 1;
    if (!active) byId("answer").ariaBusy = "false";
  };
}

// State lives in the address: what is default is left out.
function state() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(DEFAULTS).map(([key, value]) => [key, given.get(key) ?? value]));
}

function query(of) {
  const found = new URLSearchParams();
  for (const [key, value] of Object.entries(of)) if (value !== "" && key !== "of") found.set(key, value);
  return found;
}

function remember(next) {
  const kept = Object.entries(next).filter(([key, value]) => value !== DEFAULTS[key]);
  const text = new URLSearchParams(kept).toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

function offer(select, name) {
  if (name && ![...select.options].some((option) => option.value === name)) select.append(new Option(name, name));
}

function show() {
  const now = state();
  byId("of").replaceChildren(...chipsOf(now).map((name) => new Option(name, name)));
  for (const key of FIELDS) {
    if (byId(key).tagName === "SELECT") offer(byId(key), now[key]);
    byId(key).value = now[key];
  }
  if (!now.of) byId("of").selectedIndex = 0;
  for (const key of SLIDERS) {
    byId(key).value = Math.log2(Number(now[key]));
    byId(`${key}-shown`).textContent = count(Number(now[key]));
  }
  byId("utilisation").value = 100 * Number(now.utilisation);
  byId("utilisation-shown").textContent = `${Math.round(100 * Number(now.utilisation))} %`;
}

const chipsOf = (now) => [...new Set(now.hw.split(",").map((name) => name.trim()).filter(Boolean))];

async function text(path) {
  const answer = await fetch(path);
  const body = await answer.text();
  if (!answer.ok) throw new Error(JSON.parse(body).error ?? `status ${answer.status}`);
  return body;
}

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? `status ${answer.status}`);
  return body;
}

function complain(lines) {
  byId("error").hidden = !lines.length;
  byId("error").replaceChildren(...lines.map((text) => Object.assign(document.createElement("div"), { textContent: text })));
}

// Records of a step and of the service beside each other, one column per chip and end of a scenario.
const beside = (compare, serve) => compare.map((one) => ({
  compare: one, serve: serve.find((other) => one.hardware === other.hardware && one.proxy === other.proxy),
}));

async function columnsOf(now, hw) {
  const asked = query({ ...now, hw });
  const [compare, serve] = await Promise.all([ask(`/api/compare?${asked}`), ask(`/api/serve?${asked}`)]);
  return beside(compare.records, serve.records);
}

async function ownColumns(now) {
  const sizes = ["chips", ...DEGREES, "isl", "osl", "concurrency", "usd_per_hour", "utilisation", "usd_per_kwh"];
  const body = { kind: own.kind, text: own.text };
  for (const [key, value] of query(now)) body[key] = sizes.includes(key) ? Number(value) : value;
  const headers = { "content-type": "application/json" };
  const found = await ask("/api/upload", { method: "POST", headers, body: JSON.stringify(body) });
  return beside(found.compare, found.serve).map((one) => ({ ...one, label: `${one.compare.hardware} (${own.name})` }));
}

// What to type for the same numbers.
function commands(now, columns) {
  const word = (value) => (/^[\w.,:@+-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);
  const flags = (keys) => keys.filter((key) => now[key] !== DEFAULTS[key]).map((key) => ` --${key.replaceAll("_", "-")} ${word(now[key])}`).join("");
  const degrees = DEGREES.some((key) => now[key]);
  const found = [];
  for (const layers of [false, true]) {
    const mine = columns.filter(({ compare }) => !degrees ? !layers : (compare.execution === "spatial") === layers);
    if (!mine.length) continue;
    const chips = [...new Set(mine.map(({ compare }) => compare.hardware))].join(",");
    const where = `--hw ${word(chips)} --model ${word(now.model)}${flags(WHERE)}${layers ? "" : flags(DEGREES)}`;
    const sold = mine[0].compare.retail_usd_per_million_output_tokens !== undefined;
    const prices = sold ? flags(["usd_per_kwh", now.list_price ? "list_price" : "provider"]) : "";
    found.push(`roofline ${sold ? "price " : ""}compare ${where} --batch ${now.batch} --context ${now.context} --isl ${now.isl}${flags(MONEY)}${prices}`);
    found.push(`roofline serve ${where} --isl ${now.isl} --osl ${now.osl} --concurrency ${now.concurrency}${flags(MONEY)}`);
  }
  return found.join("\n");
}

async function draw(kind, asked) {
  // Axes and labels take about 90 pixels beside the plot.
  const width = Math.max(240, Math.min(460, byId(kind).clientWidth - 90));
  const path = `/api/chart/${kind}?${asked}&width=${width}`;
  if (views[kind]?.path === path) return;
  const caption = byId(kind).nextElementSibling;
  try {
    const body = await text(path);
    if (views[kind]?.body === body) return;
    const spec = JSON.parse(body);
    const { datasets, ...form } = spec;
    const same = JSON.stringify(form);
    if (views[kind]?.same === same) {
      // Only numbers differ: they flow into the chart that stands there.
      const { view } = views[kind];
      for (const [name, rows] of Object.entries(datasets)) view.data(name, rows);
      await view.runAsync();
      views[kind] = { path, body, same, view };
      return;
    }
    // Expressions are interpreted, not compiled: the page's policy forbids evaluating text.
    const options = { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: false, logLevel: 1 };
    views[kind]?.view.finalize();
    views[kind] = { path, body, same, view: (await window.vegaEmbed(`#${kind}`, spec, options)).view };
    caption.textContent = (spec.usermeta?.caption ?? []).join(" ");
  } catch (error) {
    delete views[kind];
    byId(kind).textContent = `No chart: ${error.message}`;
    caption.textContent = "";
  }
}

const pictures = latest(async () => {
  const now = state();
  if (!drawable.length) return;
  const seen = [...WHERE, ...DEGREES, "model", "batch", "context"];
  const part = (hw, keys) => query({ hw, ...Object.fromEntries(keys.map((key) => [key, now[key]])) });
  const both = drawable.join(",");
  const one = drawable.includes(now.of) ? now.of : drawable[0];
  byId("of").value = one;
  await Promise.all([
    draw("frontier", part(both, seen)),
    draw("dollars", part(both, [...seen, ...MONEY])),
    draw("fit", part(one, seen)),
    draw("roofline", part(one, seen)),
  ]);
});

const update = latest(async () => {
  const now = state();
  const chips = chipsOf(now);
  const mine = own ? [ownColumns(now)] : [];
  // All at once; where one chip cannot, each on its own, so that the others still answer.
  let names = [chips.join(",")];
  let answers = await Promise.allSettled([columnsOf(now, names[0]), ...mine]);
  if (answers[0].reason && chips.length > 1) {
    names = chips;
    answers = await Promise.allSettled([...chips.map((hw) => columnsOf(now, hw)), ...mine]);
  }
  const failed = answers.flatMap(({ reason }, i) => (reason ? [{ who: names[i] ?? own?.name ?? "", text: reason.message }] : []));
  const alike = new Set(failed.map(({ text }) => text)).size === 1 && failed.length === answers.length;
  complain(alike ? [failed[0].text] : failed.map(({ who, text }) => (text.includes(who) ? text : `${who}: ${text}`)));
  const columns = answers.flatMap(({ value }) => value ?? []);
  byId("answer").classList.toggle("stale", !columns.length);
  if (!columns.length) return;
  const known = answers.slice(0, names.length).flatMap(({ value }) => value ?? []);
  drawable = names.flatMap((name, i) => (answers[i].value ? name.split(",") : []));
  pictures();
  records = columns.flatMap(({ compare, serve }) => (serve ? [compare, serve] : [compare]));
  fill(byId("table"), columns, now);
  const warnings = new Set(records.flatMap((record) => record.warnings ?? []));
  byId("note").textContent = [...warnings].join("; ");
  byId("commands").textContent = known.length ? commands(now, known) : "";
  byId("glance").textContent = `tok/s of one user: ${columns.map(({ compare, label }) => `${label ?? compare.hardware} ${significant(compare.tokens_per_second_per_user)}`).join(" · ")}`;
});

function change(part) {
  // A model's providers are not another's, and one's own price is nobody else's.
  const sold = "model" in part || part.list_price ? { provider: "" } : part.provider ? { list_price: "" } : {};
  remember({ ...state(), ...sold, ...part });
  if ("model" in part) providers();
  show();
  update();
}

// Who sells the model.
async function providers() {
  const { model } = state();
  const found = await ask(`/api/price?${query({ model })}`).catch(() => ({ records: [] }));
  if (model !== state().model) return;
  const names = [...new Set(found.records.map((record) => record.provider))].sort();
  byId("provider").replaceChildren(new Option(names.length ? "median" : "nobody sells it", ""));
  for (const name of names) offer(byId("provider"), name);
  offer(byId("provider"), state().provider);
  byId("provider").value = state().provider;
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

async function choose() {
  const [file] = byId("file").files;
  own = file ? { kind: byId("kind").value, name: file.name, text: await file.text() } : null;
  update();
}

function listen() {
  for (const key of FIELDS) byId(key).addEventListener("change", (event) => change({ [key]: event.target.value.trim() || DEFAULTS[key] }));
  byId("add").addEventListener("change", (event) => {
    if (event.target.value) change({ hw: [...chipsOf(state()), event.target.value].join(",") });
    event.target.value = "";
  });
  for (const key of SLIDERS) {
    byId(key).addEventListener("input", (event) => change({ [key]: String(2 ** Number(event.target.value)) }));
  }
  byId("utilisation").addEventListener("input", (event) => change({ utilisation: String(Number(event.target.value) / 100) }));
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("file").addEventListener("change", choose);
  byId("kind").addEventListener("change", choose);
  byId("json").addEventListener("click", () => download("roofline.json", "application/json", JSON.stringify(records, null, 2)));
  byId("csv").addEventListener("click", () => download("roofline.csv", "text/csv", csv(records)));
  byId("svg").addEventListener("click", async () => {
    download("roofline.svg", "image/svg+xml", await views.frontier.view.toSVG());
  });
  byId("reset").addEventListener("click", () => {
    own = null;
    byId("file").value = "";
    change(DEFAULTS);
  });
  window.addEventListener("popstate", () => { show(); update(); });
}

async function begin() {
  // On a narrow screen the numbers come first; groups open at a touch.
  if (window.matchMedia("(max-width: 760px)").matches) {
    for (const group of [...document.querySelectorAll("#controls details")].slice(2)) group.open = false;
  }
  for (const select of document.querySelectorAll("select[data-powers]")) {
    for (let power = 0; power <= Number(select.dataset.powers); power++) offer(select, String(2 ** power));
  }
  const names = await ask("/api/names");
  for (const name of names.hw) {
    byId("known").append(new Option(name, name));
    offer(byId("add"), name);
  }
  for (const name of names.model) offer(byId("model"), name);
  for (const select of document.querySelectorAll("select[data-from]")) {
    for (const name of names[select.dataset.from]) offer(select, name);
  }
  show();
  listen();
  providers();
  await update();
}

begin().catch((error) => complain([error.message]));
