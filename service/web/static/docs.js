// The API page, generated from openapi.json.

const byId = (id) => document.getElementById(id);

function element(name, content = [], properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...[content].flat());
  return made;
}

function resolve(schema, api) {
  return schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema ?? {};
}

function typeOf(schema, api) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map((part) => typeOf(part, api)).join(" | ");
  if (schema.enum || schema.const) return (schema.enum ?? [schema.const]).map((v) => JSON.stringify(v)).join(" | ");
  if (schema.type === "array") return `[${schema.items ? typeOf(schema.items, api) : ""}]`;
  return schema.title && schema.type === "object" ? schema.title : schema.type ?? "any";
}

function fieldTable(schema, api) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const note = "default" in field && field.default !== null ? ` Default: ${JSON.stringify(field.default)}.` : "";
    return element("tr", [
      element("td", element("code", name)),
      element("td", element("code", typeOf(field, api))),
      element("td", (required.has(name) ? "Required. " : "") + (field.description ?? "") + note),
    ]);
  });
  return element("table", rows);
}

function example(path) {
  const values = { "/translate": { details: true }, "/attention": { reduce: "all" } }[path] ?? {};
  return JSON.stringify({ q: "The weather is nice today.", source: "en", target: "de", ...values }, null, 2);
}

function tryBox(method, path, takesBody) {
  const body = element("textarea", example(path), { rows: 7, hidden: !takesBody, ariaLabel: "Request body" });
  const answer = element("pre", [], { hidden: true });
  const send = async () => {
    const options = { method };
    if (takesBody) Object.assign(options, { body: body.value, headers: { "Content-Type": "application/json" } });
    answer.hidden = false;
    try {
      const response = await fetch(path.slice(1), options);
      const text = await response.text();
      const isJson = response.headers.get("Content-Type")?.includes("json");
      answer.textContent = `${response.status}\n` + (isJson ? JSON.stringify(JSON.parse(text), null, 1) : text);
    } catch (error) {
      answer.textContent = error.message;
    }
  };
  return element("div", [body, element("p", element("button", "Send", { onclick: send })), answer]);
}

function operation(method, path, described, api) {
  const contents = Object.entries(described.requestBody?.content ?? {});
  const reply = described.responses["200"]?.content?.["application/json"]?.schema;
  const parts = [element("summary", [element("code", `${method.toUpperCase()} ${path}`), ` ${described.summary ?? ""}`])];
  parts.push(element("p", described.description ?? ""));
  if (contents.length) {
    parts.push(element("h3", `Takes ${contents.map(([type]) => type).join(" or ")}`));
    parts.push(fieldTable(contents[0][1].schema, api));
  }
  if (reply) {
    const schema = resolve(reply, api);
    parts.push(element("h3", "Gives"), element("p", element("code", typeOf(reply, api))), fieldTable(schema, api));
  }
  const failures = Object.entries(described.responses).filter(([status]) => status !== "200");
  if (failures.length) {
    parts.push(element("h3", "Or fails"));
    parts.push(element("ul", failures.map(([status, { description }]) => element("li", `${status}: ${description}`))));
  }
  parts.push(element("h3", "Try it"), tryBox(method.toUpperCase(), path, contents.length > 0));
  return element("details", parts);
}

async function show() {
  const api = await (await fetch("openapi.json")).json();
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => operation(method, path, described, api)));
  const schemas = Object.entries(api.components?.schemas ?? {}).map(([name, schema]) =>
    element("details", [element("summary", element("code", name)), element("p", schema.description ?? ""), fieldTable(schema, api)]));
  byId("operations").replaceChildren(...operations, element("h2", "Shapes"), ...schemas);
}

show().catch((error) => byId("operations").replaceChildren(element("p", `openapi.json cannot be loaded: ${error.message}`, { className: "failed" })));
