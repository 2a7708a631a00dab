// The language of the page itself: one file `text.CODE.json` each.

import { byId } from "./element.js";
import { keep, recall } from "./memory.js";

// A further language is one line here and one file beside the others.
export const INTERFACES = { en: "English", de: "Deutsch" };

let strings = {};
let rules;
let names;
export let locale = "en";

export async function loadInterface() {
  locale = preferred();
  strings = await (await fetch(`static/text.${locale}.json`)).json();
  rules = new Intl.PluralRules(locale);
  names = new Intl.DisplayNames([locale], { type: "language", fallback: "code" });
  document.documentElement.lang = locale;
  fill(document);
  fillChooser(byId("interface"));
  document.body.classList.remove("loading");
}

// A text, with `{name}` replaced; where it depends on `count`, it has several forms.
export function say(key, values = {}) {
  const found = strings[key] ?? key;
  const text = typeof found === "string" ? found : found[rules.select(values.count)] ?? found.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : value ?? whole;
  });
}

export const knows = (key) => key in strings;
export const number = (value, options) => value.toLocaleString(locale, options);
export const percent = (share) => number(share, { style: "percent", maximumFractionDigits: 0 });
export const languageName = (code) => names.of(code);

function preferred() {
  const wanted = [recall("interface", null), ...navigator.languages].filter(Boolean);
  return wanted.map((tag) => tag.split("-")[0]).find((code) => code in INTERFACES) ?? "en";
}

const TARGETS = { say: null, sayLabel: "aria-label", sayPlaceholder: "placeholder", sayEmpty: "data-empty" };

function fill(root) {
  for (const [name, attribute] of Object.entries(TARGETS)) {
    const marker = `data-${name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`;
    for (const each of root.querySelectorAll(`[${marker}]`)) {
      const text = say(each.dataset[name]);
      if (attribute === null) each.textContent = text;
      else each.setAttribute(attribute, text);
      if (attribute === "aria-label" && each.matches("button")) each.title = text;
    }
  }
}

function fillChooser(select) {
  select.replaceChildren(...Object.entries(INTERFACES).map(([code, name]) => new Option(name, code)));
  select.value = locale;
  select.addEventListener("change", () => {
    keep("interface", select.value);
    location.reload();
  });
}
