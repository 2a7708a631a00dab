// Accessible tabs; a panel is filled when it is first shown.

import { bringIntoRow, roving } from "./roving.js";

export class Tabs {
  #tabs;
  #onShow;
  #stops;

  constructor(list, onShow) {
    this.#tabs = [...list.querySelectorAll("[role=tab]")];
    this.#onShow = onShow;
    this.#stops = roving(list, "[role=tab]");
    for (const tab of this.#tabs) {
      tab.addEventListener("click", () => this.show(tab));
      tab.addEventListener("focus", () => this.show(tab));
    }
    this.show(this.#tabs[0]);
  }

  show(chosen) {
    if (this.chosen === chosen) return;
    this.chosen = chosen;
    for (const tab of this.#tabs) {
      tab.setAttribute("aria-selected", tab === chosen);
      this.panelOf(tab).hidden = tab !== chosen;
    }
    this.#stops.stopAt(chosen);
    bringIntoRow(chosen);
    this.#onShow(this.panelOf(chosen));
  }

  panelOf(tab) {
    return document.getElementById(tab.getAttribute("aria-controls"));
  }
}
