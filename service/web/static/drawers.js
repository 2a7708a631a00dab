// The drawers below the text, of which at most one is open.

export class Drawers {
  #buttons;

  constructor(buttons, onOpen) {
    this.#buttons = buttons;
    for (const button of buttons) {
      button.addEventListener("click", () => {
        this.#toggle(button);
        if (this.#isOpen(button)) onOpen(this.#drawerOf(button));
      });
    }
  }

  #toggle(button) {
    const opens = !this.#isOpen(button);
    for (const each of this.#buttons) {
      const isOpen = opens && each === button;
      each.setAttribute("aria-expanded", isOpen);
      this.#drawerOf(each).hidden = !isOpen;
    }
  }

  #isOpen(button) {
    return button.getAttribute("aria-expanded") === "true";
  }

  #drawerOf(button) {
    return document.getElementById(button.getAttribute("aria-controls"));
  }
}
