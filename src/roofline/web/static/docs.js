// The OpenAPI document for people: every operation with its parameters, body and answers.

function make(tag, text = "", parts = []) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.append(...parts);
  return made;
}

// Text with `code` in it.
const prose = (text) => make("p", "", text.split("`").map((part, i) => (i % 2 ? make("code", part) : part)));
const last = (path) => path.split("/").at(-1);

// What a value may be, in a few words.
function kind(schema) {
  if (schema.$ref) return last(schema.$ref);
  if (schema.anyOf) return schema.anyOf.filter((one) => one.type !== "null").map(kind).join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  const bounds = [
    schema.minimum === undefined ? "" : `from ${schema.minimum}`,
    schema.maximum === undefined ? "" : `to ${schema.maximum.toLocaleString("en-US")}`,
    schema.maxLength === undefined ? "" : `at most ${schema.maxLength.toLocaleString("en-US")} characters`,
  ].filter(Boolean);
  return [schema.type ?? "any", ...bounds].join(" ");
}

function table(head, rows) {
  const made = make("table", "", [make("thead", "", [make("tr", "", head.map((text) => Object.assign(make("th", text), { scope: "col" })))])]);
  made.append(make("tbody", "", rows.map((cells) => make("tr", "", cells.map((text) => make("td", text))))));
  return Object.assign(make("div", "", [made]), { className: "scroll" });
}

const shown = (value) => (value === undefined || value === null ? "" : String(value));

function fields(title, list) {
  const rows = list.map(({ name, required, schema, description }) =>
    [name + (required ? " (required)" : ""), kind(schema), shown(schema.default), description ?? schema.description ?? ""]);
  return make("details", "", [make("summary", `${title} (${list.length})`), table(["name", "what it may be", "default", "meaning"], rows)]);
}

function operation(document_, path, method, found) {
  const parameters = found.parameters ?? [];
  const parts = [make("h2", `${method.toUpperCase()} ${path}`), prose(found.description ?? found.summary)];
  if (method === "get") {
    const filled = parameters.filter((one) => one.in === "path").reduce((text, one) => text.replace(`{${one.name}}`, one.schema.enum[0]), path);
    parts.push(make("p", "", [Object.assign(make("a", `Try ${filled}`), { href: filled })]));
  }
  if (parameters.length) parts.push(fields("Parameters", parameters));
  const body = found.requestBody?.content["application/json"].schema.$ref;
  if (body) {
    const { properties, required = [] } = document_.components.schemas[last(body)];
    parts.push(fields("Body, as JSON", Object.entries(properties).map(([name, schema]) => ({ name, schema, required: required.includes(name) }))));
  }
  const answers = Object.entries(found.responses).map(([status, answer]) => {
    const schema = answer.content?.["application/json"]?.schema ?? {};
    return [status, status === "200" ? "The answer." : answer.description, schema.$ref ? kind(schema) : "JSON"];
  });
  parts.push(make("details", "", [make("summary", "Answers"), table(["status", "meaning", "body"], answers)]));
  return make("section", "", parts);
}

const answer = await fetch("/openapi.json");
const found = await answer.json();
const place = document.getElementById("api");
place.append(make("p", `${found.info.title} ${found.info.version}. ${found.info.description}`));
for (const [path, methods] of Object.entries(found.paths)) {
  for (const [method, one] of Object.entries(methods)) place.append(operation(found, path, method, one));
}
