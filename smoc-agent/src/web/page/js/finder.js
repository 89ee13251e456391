// Search: the agent finds, this shows.

import { ask } from "./agent.js";
import { element } from "./units.js";

/** Time without a key after which is searched, in milliseconds. */
const PAUSE = 200;

export class Finder {
  constructor(input, list, choose) {
    Object.assign(this, { input, list, choose, active: 0 });
    input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.#find(), PAUSE);
    });
    input.addEventListener("keydown", (event) => this.#press(event));
    input.addEventListener("blur", () => setTimeout(() => this.#close(), 200));
    list.addEventListener("click", (event) => this.#take(event.target.closest("li")));
  }

  async #find() {
    const text = this.input.value.trim();
    if (!text) return this.#close();
    let found;
    try {
      found = await ask("find", { text });
    } catch (error) {
      return this.#fill([], error.message);
    }
    if (this.input.value.trim() !== text) return;
    this.#fill([
      ...found.hosts.map((host) => ["host", host.name ?? host.mac, `${host.name ?? host.mac}`, `${host.address} at ${host.switch}:${host.port}`]),
      ...found.connections.map((one) => ["connection", one.tokens.local, one.tokens.local, ends(one)]),
      ...found.switches.map((name) => ["switch", name, name, ""]),
      ...found.links.map((name) => ["link", name, name, ""]),
    ], "nothing has this in its name, address or token");
  }

  #fill(rows, otherwise) {
    const items = rows.map(([kind, name, title, text], index) =>
      element("li", { role: "option", id: `found-${index}`, "data-kind": kind, "data-name": name }, element("small", {}, kind), element("span", { class: "name" }, title), element("span", { class: "rate" }, text))
    );
    this.list.replaceChildren(...(items.length ? items : [element("li", { class: "none" }, otherwise)]));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#point(0);
  }

  #point(index) {
    this.active = index;
    [...this.list.children].forEach((item, place) => {
      item.classList.toggle("active", place === index);
      item.setAttribute("aria-selected", place === index);
    });
    const item = this.list.children[index];
    if (item?.id) this.input.setAttribute("aria-activedescendant", item.id);
    item?.scrollIntoView({ block: "nearest" });
  }

  #press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#point(Math.max(0, Math.min(this.list.children.length - 1, this.active + step)));
    else if (event.key === "Enter") this.#take(this.list.children[this.active]);
    else if (event.key === "Escape") this.#close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #take(item) {
    if (!item?.dataset.kind || this.list.hidden) return;
    this.choose(item.dataset.kind, item.dataset.name);
    this.input.value = "";
    this.#close();
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

function ends(connection) {
  const [subflow] = connection.subflows;
  return `${subflow.local.address}:${subflow.local.port} ↔ ${subflow.remote.address}:${subflow.remote.port}`;
}
