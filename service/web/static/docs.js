// The API page, generated from openapi.json.

import { byId, element } from "./element.js";
import { tryBox } from "./try_it.js";

const idOf = (name) => `shape-${name}`;
const nameOf = (reference) => reference.split("/").pop();

/** Text with what stands between backticks as code. */
const prose = (text = "") => text.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part));

/** The type of a schema, with a link to each shape in it. */
function typeOf(schema) {
  if (schema.$ref) return [element("a", { href: `#${idOf(nameOf(schema.$ref))}` }, nameOf(schema.$ref))];
  const parts = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (parts) return parts.flatMap((part, i) => (i ? [" | ", ...typeOf(part)] : typeOf(part)));
  if (schema.enum || "const" in schema) {
    return [(schema.enum ?? [schema.const]).map((value) => JSON.stringify(value)).join(" | ")];
  }
  if (schema.prefixItems) return ["[", ...schema.prefixItems.flatMap((part, i) => [i ? ", " : "", ...typeOf(part)]), "]"];
  if (schema.type === "array") return ["[", ...(schema.items ? typeOf(schema.items) : []), "]"];
  if (typeof schema.additionalProperties === "object") return ["{text: ", ...typeOf(schema.additionalProperties), "}"];
  if (schema.properties) return ["{", ...Object.entries(schema.properties).flatMap(([name, field], i) => [i ? ", " : "", `${name}: `, ...typeOf(field)]), "}"];
  return [schema.format === "binary" ? "file" : schema.type ?? "anything"];
}

function row(name, schema, isRequired, description) {
  const hasDefault = "default" in schema && schema.default !== null && schema.default !== "";
  const note = hasDefault ? ` Default: ${JSON.stringify(schema.default)}.` : "";
  return element("tr", {},
    element("td", {}, element("code", {}, name)),
    element("td", {}, element("code", {}, typeOf(schema))),
    element("td", {}, prose((isRequired ? "Required. " : "") + (description ?? schema.description ?? "") + note)),
  );
}

function fieldTable(schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) return element("p", {}, element("code", {}, typeOf(schema)));
  return element("table", {}, fields.map(([name, field]) => row(name, field, required.has(name))));
}

function parameters(described) {
  const all = described.parameters ?? [];
  if (all.length === 0) return [];
  const rows = all.map((each) => row(`${each.name} (${each.in})`, each.schema ?? {}, each.required, each.description));
  return [element("h3", {}, "Parameters"), element("table", {}, rows)];
}

function body(described) {
  const contents = Object.entries(described.requestBody?.content ?? {});
  if (contents.length === 0) return [];
  return [element("h3", {}, `Takes ${contents.map(([type]) => type).join(" or ")}`), fieldTable(contents[0][1].schema)];
}

function reply([status, { description, content }]) {
  const kinds = Object.entries(content ?? {}).map(([type, { schema }]) =>
    element("li", {}, element("code", {}, type), schema && Object.keys(schema).length ? [": ", element("code", {}, typeOf(schema))] : []));
  return element("li", {}, prose(`${status}: ${description} `), kinds.length ? element("ul", {}, kinds) : []);
}

function keys(described, api) {
  const names = (described.security ?? []).flatMap(Object.keys);
  return names.map((name) => element("p", {}, prose(`Key: ${api.components.securitySchemes[name].description}`)));
}

function operation(method, path, described, api) {
  return element("details", { id: described.operationId },
    element("summary", {}, element("code", {}, `${method.toUpperCase()} ${path}`), ` ${described.summary ?? ""}`),
    element("p", {}, prose(described.description)),
    ...keys(described, api),
    ...parameters(described),
    ...body(described),
    element("h3", {}, "Answers"),
    element("ul", {}, Object.entries(described.responses).map(reply)),
    element("h3", {}, "Try it"),
    tryBox(method.toUpperCase(), path, described, () => byId("key").value.trim()),
  );
}

function shape([name, schema]) {
  return element("details", { id: idOf(name) },
    element("summary", {}, element("code", {}, name)),
    element("p", {}, prose(schema.description)),
    fieldTable(schema),
  );
}

/** Open what the address names: a link to a shape shows it. */
function openNamed() {
  const named = byId(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

async function show() {
  const api = await (await fetch("openapi.json")).json();
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => operation(method, path, described, api)));
  const shapes = Object.entries(api.components?.schemas ?? {}).map(shape);
  byId("operations").replaceChildren(...operations, element("h2", {}, "Shapes"), ...shapes);
  openNamed();
}

addEventListener("hashchange", openNamed);
show().catch((error) => byId("operations").replaceChildren(element("p", { class: "failed" }, `openapi.json cannot be loaded: ${error.message}`)));
