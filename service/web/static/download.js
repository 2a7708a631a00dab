// Saves what is shown as a file, in the browser; nothing is sent.

import { element } from "./element.js";
import { say } from "./interface.js";

const INK = "#1c2326";
const ACCENT = "#0b7285";
const SHARPNESS = 2;

export function downloads(name, content, picture = null) {
  const button = (label, click) => element("button", { type: "button", class: "quiet", click, "data-keeps": label }, label);
  const pictures = picture ? [button("PNG", () => savePng(name, picture)), button("SVG", () => saveSvg(name, picture))] : [];
  return element("div", { class: "downloads", role: "group", "aria-label": say("download") }, `${say("download")} `,
    ...pictures, button("JSON", () => saveJson(name, content)));
}

function saveJson(name, content) {
  save(`${name}.json`, new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
}

function saveSvg(name, picture) {
  save(`${name}.svg`, onPaper(picture));
}

async function savePng(name, picture) {
  const address = URL.createObjectURL(onPaper(picture));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = element("canvas", { width: SHARPNESS * image.width, height: SHARPNESS * image.height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    save(`${name}.png`, await new Promise((resolve) => canvas.toBlob(resolve, "image/png")));
  } finally {
    URL.revokeObjectURL(address);
  }
}

// A copy with inline styles, dark on white in either theme.
function onPaper(picture) {
  const copy = picture.cloneNode(true);
  copy.setAttribute("color", ACCENT);
  copy.setAttribute("fill", INK);
  for (const mark of copy.querySelectorAll(".marked, .pinned")) mark.remove();
  const paper = document.createElementNS(copy.namespaceURI, "rect");
  paper.setAttribute("width", "100%");
  paper.setAttribute("height", "100%");
  paper.setAttribute("fill", "white");
  copy.prepend(paper);
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
}

function save(name, blob) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
