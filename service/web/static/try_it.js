// A form for an operation of the API page: its parameters and body, filled with the document's examples.

import { element } from "./element.js";

const JSON_TYPE = "application/json";
const MULTIPART = "multipart/form-data";
const SENTENCE = "The weather is nice today.";
const FILE = ["example.txt", `${SENTENCE}\n`];
const MEMORY = ["example.tmx", `<tmx version="1.4"><header srclang="en"/><body><tu><tuv xml:lang="en"><seg>${SENTENCE}</seg></tuv><tuv xml:lang="de"><seg>Heute ist schönes Wetter.</seg></tuv></tu></body></tmx>\n`];

function field(label, input) {
  return element("label", {}, `${label} `, input);
}

function parameterFields(described) {
  return (described.parameters ?? []).map((parameter) => {
    const { name, in: place, schema = {}, required } = parameter;
    const value = place === "query" ? parameter.example ?? schema.default ?? "" : parameter.example ?? "";
    const input = schema.enum
      ? element("select", {}, schema.enum.map((each) => element("option", { selected: each === value }, each)))
      : element("input", { type: "text", value, autocomplete: "off" });
    return { name, place, required, input, label: field(`${name} (${place})`, input) };
  });
}

/** Lines of `name=value`, one for each value of a list. */
function formLines(example) {
  return Object.entries(example).flatMap(([name, value]) => [value].flat().map((each) => `${name}=${each}`)).join("\n");
}

function formPairs(text) {
  return text.split("\n").filter((line) => line.includes("=")).map((line) => {
    const end = line.indexOf("=");
    return [line.slice(0, end), line.slice(end + 1)];
  });
}

/** The input of a file, with one of a sentence in it until another is chosen. */
function fileInput([name, content]) {
  const input = element("input", { type: "file" });
  const chosen = () => input.files[0] ?? new File([content], name, { type: "text/plain" });
  return { input, chosen };
}

function multipartBody({ example = {}, schema }) {
  const files = Object.entries(schema.properties ?? {}).filter(([, each]) => each.format === "binary").map(([name]) => name);
  const texts = Object.fromEntries(Object.entries(example).filter(([name]) => !files.includes(name)));
  const area = element("textarea", { rows: 4, "aria-label": "Fields of the form, a line each" }, formLines(texts));
  const inputs = files.map((name) => {
    const given = example[name]?.endsWith(".tmx") ? MEMORY : FILE;
    return { name, unless: given[0], ...fileInput(given) };
  });
  const content = () => {
    const form = new FormData();
    for (const [name, value] of formPairs(area.value)) form.append(name, value);
    for (const { name, chosen } of inputs) form.append(name, chosen());
    return { body: form, headers: {} };
  };
  const labels = inputs.map(({ name, unless, input }) => field(`${name} (${unless}, unless you choose one)`, input));
  return { shown: element("div", {}, labels, area), content };
}

function textBody(type, { example = {} }) {
  const isJson = type === JSON_TYPE;
  const text = isJson ? JSON.stringify(example, null, 2) : formLines(example);
  const area = element("textarea", { rows: Math.max(3, text.split("\n").length), "aria-label": `Body, ${type}` }, text);
  const content = () => ({ body: isJson ? area.value : new URLSearchParams(formPairs(area.value)), headers: { "Content-Type": type } });
  return { shown: area, content };
}

/** The body in each type that the operation takes, one of them shown. */
function bodyFields(described) {
  const contents = Object.entries(described.requestBody?.content ?? {});
  const bodies = contents.map(([type, each]) => (type === MULTIPART ? multipartBody(each) : textBody(type, each)));
  const choice = element("select", { "aria-label": "Type of the body" }, contents.map(([type]) => element("option", {}, type)));
  const show = () => bodies.forEach(({ shown }, i) => { shown.hidden = i !== choice.selectedIndex; });
  choice.onchange = show;
  show();
  const shown = [...(bodies.length > 1 ? [choice] : []), ...bodies.map((each) => each.shown)];
  return { shown, content: () => bodies[choice.selectedIndex]?.content() ?? { headers: {} } };
}

function replyChoice(described) {
  const types = Object.keys(described.responses["200"]?.content ?? {}).filter((type) => type !== "text/event-stream");
  const choice = element("select", {}, types.map((type) => element("option", {}, type)));
  return { choice, shown: types.length > 1 ? [field("Accept", choice)] : [] };
}

function authorization(described, key) {
  if (!key || !described.security) return {};
  const isDeepl = described.security.some((each) => "deepl" in each);
  return { Authorization: `${isDeepl ? "DeepL-Auth-Key" : "Bearer"} ${key}` };
}

function addressOf(path, fields) {
  let address = path.slice(1);
  const query = new URLSearchParams();
  for (const { name, place, input } of fields) {
    if (place === "path") address = address.replace(`{${name}}`, encodeURIComponent(input.value));
    if (place === "query" && input.value) query.set(name, input.value);
  }
  return query.size ? `${address}?${query}` : address;
}

function headersOf(fields) {
  const given = fields.filter(({ place, input }) => place === "header" && input.value);
  return Object.fromEntries(given.map(({ name, input }) => [name, input.value]));
}

async function shownContent(response) {
  const type = response.headers.get("Content-Type") ?? "";
  if (type.startsWith("image/")) {
    return element("img", { src: URL.createObjectURL(await response.blob()), alt: "The picture that came back" });
  }
  if (type.includes("json")) return JSON.stringify(await response.json(), null, 1);
  if (type.startsWith("text/")) return response.text();
  const blob = await response.blob();
  const name = response.headers.get("Content-Disposition")?.match(/filename="?([^";]+)/)?.[1] ?? "reply";
  return element("a", { href: URL.createObjectURL(blob), download: name }, `${name}, ${blob.size} bytes`);
}

export function tryBox(method, path, described, key) {
  const fields = parameterFields(described);
  const body = bodyFields(described);
  const accept = replyChoice(described);
  const answer = element("pre", { hidden: true, tabindex: 0, role: "status" });
  const send = async () => {
    answer.hidden = false;
    const missing = fields.filter(({ required, input }) => required && !input.value).map(({ name }) => name);
    if (missing.length) return answer.replaceChildren(`Fill in ${missing.join(", ")}.`);
    const { body: content, headers } = body.content();
    const accepted = accept.shown.length ? { Accept: accept.choice.value } : {};
    const options = { method, body: content, headers: { ...headers, ...headersOf(fields), ...accepted, ...authorization(described, key()) } };
    answer.replaceChildren("…");
    try {
      const response = await fetch(addressOf(path, fields), options);
      answer.replaceChildren(`${response.status} ${response.statusText}\n`, await shownContent(response));
    } catch (error) {
      answer.replaceChildren(error.message);
    }
  };
  const button = element("p", {}, element("button", { type: "button", click: send }, "Send"));
  return element("div", { class: "try" }, fields.map(({ label }) => label), body.shown, accept.shown, button, answer);
}
