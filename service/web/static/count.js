// How long the text is, and whether it is too long.

import { byId } from "./element.js";
import { say } from "./interface.js";

// Counts code points, as the server does.
export function showCount(text, limit) {
  const length = Array.from(text).length;
  const excess = length - limit;
  const count = byId("count");
  count.textContent = text ? say("count", { count: length, limit }) : "";
  count.classList.toggle("over", excess > 0);
  byId("clear").hidden = !text;
  const button = byId("translate");
  button.disabled = excess > 0;
  button.textContent = excess > 0 ? say("excess", { count: excess }) : say("translate");
}
