// Files: chosen or dropped, translated as jobs of the server, fetched from it.

import { byId, element } from "./element.js";
import { percent, say } from "./interface.js";
import { cancelJob, jobOf, sendFile } from "./service.js";

const POLL_MS = 400;
const FIRST_ROW = 4_000; // bytes that are read of a table, to show the names of its columns
const MOST_SHOWN = 200;
const ENDED = new Set(["done", "failed", "cancelled"]);
const TABLES = [".csv", ".tsv"];

const hasEnding = (file, endings) => endings.some((ending) => file.name.toLowerCase().endsWith(ending));

export class Files {
  #list = byId("files");
  #formats;
  #fields;

  constructor({ formats, fields }) {
    [this.#formats, this.#fields] = [formats, fields];
    const input = byId("file");
    input.accept = formats.join(",");
    byId("choose-file").addEventListener("click", () => input.click());
    byId("choose-file").title = formats.join(", ");
    input.addEventListener("change", () => {
      this.#addAll(input.files);
      input.value = "";
    });
    this.#acceptDrops();
  }

  #acceptDrops() {
    const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
    const mark = (isOver) => document.body.classList.toggle("dropping", isOver);
    addEventListener("dragover", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      mark(true);
    });
    addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
    addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      mark(false);
      this.#addAll(event.dataTransfer.files);
    });
  }

  #addAll(files) {
    for (const file of files) this.#add(file);
  }

  async #add(file) {
    const row = new FileRow(file.name);
    this.#list.hidden = false;
    this.#list.prepend(row.root);
    row.root.scrollIntoView({ block: "nearest" });
    if (!hasEnding(file, this.#formats)) {
      row.fail(say("file.format", { formats: this.#formats.join(", ") }));
      return;
    }
    try {
      const columns = hasEnding(file, TABLES) ? { columns: await row.askForColumns(await firstRow(file)) } : {};
      await this.#translate(file, row, columns);
    } catch (error) {
      row.fail(error.message);
    }
  }

  async #translate(file, row, columns) {
    row.tell(say("file.sending"));
    let job = await sendFile(file, { ...this.#fields(file), ...columns });
    row.begin(job);
    row.progress(job);
    while (!ENDED.has(job.status) && !row.isGone) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      if (!row.isGone) job = await polled(job, row);
    }
    if (job.status === "done") row.offer(job);
    else if (!row.isGone) row.fail(job.error ?? say("file.cancelled"));
  }
}

// The job goes on while the server cannot be asked: it is asked again.
async function polled(job, row) {
  try {
    const found = await jobOf(job.id);
    row.progress(found);
    return found;
  } catch (error) {
    if (!error.canRetry) throw error;
    row.tell(error.message);
    return job;
  }
}

// For the reader only: the server reads the table by itself, in whatever encoding it is.
async function firstRow(file) {
  const [line] = (await file.slice(0, FIRST_ROW).text()).split(/[\r\n]/, 1);
  return line.slice(0, MOST_SHOWN);
}

class FileRow {
  id = null;
  isGone = false;
  #bar = element("progress", { max: "1", value: "0" });
  #said = element("span", { class: "hint", role: "status" });

  constructor(name) {
    this.#bar.setAttribute("aria-label", say("file.progress", { name }));
    const remove = element("button", {
      type: "button", class: "plain round", "aria-label": say("file.remove", { name }), title: say("remove"), click: () => this.#remove(),
    }, "×");
    this.root = element("li", {}, element("span", { class: "name" }, name), this.#bar, this.#said, remove);
  }

  // Resolves to the columns of a table that are to be translated; empty: all of them.
  askForColumns(names) {
    const field = element("input", { maxlength: "1000", placeholder: say("file.columns.all") });
    const label = element("label", {}, element("span", {}, say("file.columns")), field);
    const go = element("button", { class: "quiet" }, say("translate"));
    const hint = element("span", { class: "hint" }, say("file.columns.hint", { names }));
    return new Promise((resolve) => {
      const form = element("form", { class: "columns", submit: (event) => {
        event.preventDefault();
        form.replaceWith(this.#bar);
        resolve(field.value);
      } }, label, go, hint);
      this.#bar.replaceWith(form);
      field.focus();
    });
  }

  tell(text) {
    this.#said.replaceChildren(text);
  }

  begin({ id }) {
    this.id = id;
    if (this.isGone) this.#cancel(); // it was removed while the file was being sent
  }

  progress({ progress }) {
    this.#bar.value = progress;
    this.tell(percent(progress));
  }

  offer({ translatedFileUrl: address, note = "" }) {
    this.#bar.remove();
    this.#said.replaceChildren(element("a", { class: "primary", href: address, download: true }, say("file.download")), ` ${note}`);
  }

  fail(text) {
    this.#bar.remove();
    this.root.classList.add("failed");
    this.tell(text);
  }

  #remove() {
    this.isGone = true;
    if (this.id) this.#cancel();
    const list = this.root.parentElement;
    this.root.remove();
    list.hidden = !list.children.length;
  }

  #cancel() {
    cancelJob(this.id).catch(() => {}); // it may be gone already
  }
}
