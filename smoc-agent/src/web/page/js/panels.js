// The lists beside the drawing: the same things, for a keyboard, a screen reader, or whoever likes lists.

import { byName, STATES } from "./model.js";
import { clock, count, element, morph, rate } from "./units.js";

/** Most rows of a list: what is beyond is found by searching. */
const ROWS = 250;
const ORDER = Object.keys(STATES);

const badge = (state) => element("span", { class: "badge", "data-state": state }, state);
const bar = (share) => {
  const inner = element("span", {});
  inner.style.width = `${Math.round(100 * (share ?? 0))}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, inner);
};

/** For each list: its title, and its rows as {kind, name, order, state, parts}. */
const LISTS = {
  links: {
    title: "Links",
    total: ({ model }) => model.shape.links.length,
    rows: ({ model }) => noteworthy(model).map((index) => linkRow(model, index)),
  },
  switches: {
    title: "Switches",
    rows: ({ model }) =>
      model.shape.switches.map((at, index) => {
        const dead = model.linksAt[index].filter((link) => model.states[link] === "down").length;
        const text = [count(model.linksAt[index].length, "link"), at.addresses && count(at.addresses, "address"), dead && `${dead} down`];
        const said = text.filter(Boolean).join(", ");
        const parts = () => [element("span", { class: "name" }, at.name), model.isThis(at.name) && element("span", { class: "badge" }, "this"), element("span", { class: "rate" }, said)];
        return { kind: "switch", name: at.name, order: [model.isThis(at.name) ? 0 : 1], parts };
      }),
  },
  hosts: {
    title: "Hosts",
    rows: ({ model }) =>
      model.shape.hosts.map((host) => {
        const at = `${model.shape.switches[host.switch].name}:${host.port}`;
        const parts = () => [element("span", { class: "name" }, host.name), element("span", { class: "rate" }, `${host.addresses.slice(0, 2).join(" ")} at ${at}`)];
        return { kind: "host", name: host.name, order: [0], parts };
      }),
  },
  connections: {
    title: "Connections",
    rows: ({ connections }) => connections.filter((one) => one.id !== null).map(connectionRow),
  },
  paths: {
    title: "Paths",
    rows: ({ model }) => {
      const here = model.shape.switches[model.shape.this].name;
      const edges = model.edges();
      const from = edges.includes(here) ? here : edges[0];
      return edges.filter((edge) => edge !== from).map((edge) => {
        const subflows = model.live.paths.filter((path) => path.edge === edge).reduce((sum, path) => sum + path.subflows, 0);
        const parts = () => [element("span", { class: "name" }, `${from} → ${edge}`), element("span", { class: "rate" }, from === here ? count(subflows, "subflow") : "")];
        return { kind: "pair", name: `${from} ${edge}`, order: [-subflows], parts };
      });
    },
  },
  events: {
    title: "Events",
    rows: ({ model, events }) =>
      [...events].reverse().map((event) => ({
        ...subject(model, event),
        order: [-event.number],
        parts: () => [
          element("time", {}, clock(event.at)),
          element("span", { class: "badge", "data-kind": event.kind }, event.kind),
          element("span", { class: "said" }, event.subject ? `${event.subject}: ${event.text}` : event.text),
        ],
      })),
  },
};

/** Of very many links those in trouble, then those that carry most, then others by name. */
function noteworthy(model) {
  const all = model.shape.links.map((link, index) => index);
  if (all.length <= ROWS) return all;
  const noted = all.filter((index) => model.states[index] !== "up" || model.busiest(index) > 0);
  noted.sort((a, b) => ORDER.indexOf(model.states[a]) - ORDER.indexOf(model.states[b]) || model.busiest(b) - model.busiest(a));
  const first = new Set(noted.slice(0, ROWS));
  for (let place = 0; first.size < ROWS; place += 1) first.add(model.linksByName[place]);
  return [...first];
}

function linkRow(model, index) {
  const { name } = model.shape.links[index];
  const [state, load, busiest] = [model.states[index], model.load(index), model.busiest(index)];
  const order = [ORDER.indexOf(state), -(load ?? 0), -busiest];
  const parts = () => [
    element("span", { class: "name" }, name),
    state === "up" ? bar(load) : badge(state),
    element("span", { class: "rate" }, rate(busiest)),
  ];
  return { kind: "link", name, order, state, parts };
}

function connectionRow(connection) {
  const [first] = connection.subflows;
  const ends = first ? `${first.local.address} ↔ ${first.remote.address}` : "no subflow";
  const carried = connection.subflows.reduce((sum, subflow) => sum + (subflow.rate ?? 0), 0);
  const parts = () => [
    element("span", { class: "name" }, ends),
    element("code", {}, connection.tokens.local),
    element("span", { class: "rate" }, `${count(connection.subflows.length, "subflow")}, ${rate(carried)}`),
  ];
  return { kind: "connection", name: connection.tokens.local, order: [0], parts };
}

/** What an event is about, if that is in the drawing. */
export function subject(model, { subject: text }) {
  if (model.linkNamed.has(text)) return { kind: "link", name: text };
  if (model.switchNamed.has(text)) return { kind: "switch", name: text };
  const port = model.shape.links.find((link) => link.name.startsWith(`${text}-`) || link.name.endsWith(`-${text}`));
  return port && text.includes(":") ? { kind: "link", name: port.name } : { kind: undefined, name: text };
}

export class Lists {
  constructor(page, tabs, list, more) {
    Object.assign(this, { page, tabs, list, more, shown: "links", rows: [], active: 0 });
    for (const [name, { title }] of Object.entries(LISTS)) {
      const attributes = { role: "tab", id: `tab-${name}`, type: "button", "aria-controls": "list", click: () => this.show(name), keydown: (event) => this.#turn(event) };
      tabs.append(element("button", attributes, title));
    }
    list.addEventListener("keydown", (event) => this.#press(event));
    list.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) this.#choose(Number(row.dataset.row));
    });
    this.show("links");
  }

  show(name) {
    this.shown = name;
    this.active = 0;
    for (const tab of this.tabs.children) {
      const isShown = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", isShown);
      tab.tabIndex = isShown ? 0 : -1;
    }
    this.list.setAttribute("aria-label", LISTS[name].title);
    this.list.scrollTop = 0;
    this.order = undefined;
    this.update();
    this.page.listChanged?.();
  }

  /** Shows what there is now; while somebody is in the list, rows keep their places. */
  update() {
    if (!this.page.model.shape) return;
    const rows = LISTS[this.shown].rows(this.page);
    const isHeld = this.list.contains(document.activeElement) || this.list.matches(":hover");
    if (isHeld && this.order) rows.sort((a, b) => this.#place(a) - this.#place(b));
    else rows.sort((a, b) => compare(a.order, b.order) || byName(a.name, b.name));
    this.order = new Map(rows.map((row, index) => [this.#key(row), index]));
    this.rows = rows.slice(0, ROWS);
    this.#fill();
    const total = LISTS[this.shown].total?.(this.page) ?? rows.length;
    const rest = total - this.rows.length;
    this.more.textContent = rest ? `and ${count(rest, "more row")}: find them by name above` : rows.length ? "" : EMPTY[this.shown];
  }

  #key = (row) => `${row.kind} ${row.name} ${this.shown === "events" ? row.order[0] : ""}`;
  #place = (row) => this.order.get(this.#key(row)) ?? (this.shown === "events" ? -1 : Infinity);

  #fill() {
    const { kind, name } = this.page.selection ?? {};
    this.rows.forEach((row, index) => {
      const isSelected = row.kind !== undefined && row.kind === kind && row.name === name;
      const attributes = { role: "option", id: `row-${index}`, "data-row": index, "data-name": row.name, "data-state": row.state, "aria-selected": isSelected };
      const made = element("div", attributes, row.parts());
      const old = this.list.children[index];
      if (old) morph(old, made);
      else this.list.append(made);
    });
    while (this.list.children.length > this.rows.length) this.list.lastChild.remove();
    this.#point(Math.min(this.active, Math.max(0, this.rows.length - 1)), false);
  }

  #point(index, isByKey) {
    this.active = index;
    for (const row of this.list.children) row.classList.toggle("active", Number(row.dataset.row) === index);
    const row = this.list.children[index];
    if (!row) return this.list.removeAttribute("aria-activedescendant");
    this.list.setAttribute("aria-activedescendant", row.id);
    if (isByKey) row.scrollIntoView({ block: "nearest" });
  }

  #choose(index) {
    const row = this.rows[index];
    this.#point(index, false);
    if (row?.kind) this.page.select(row.kind, row.name);
  }

  #press(event) {
    const last = this.rows.length - 1;
    const to = { ArrowDown: this.active + 1, ArrowUp: this.active - 1, Home: 0, End: last, PageDown: this.active + 10, PageUp: this.active - 10 }[event.key];
    if (to !== undefined) this.#point(Math.max(0, Math.min(last, to)), true);
    else if (event.key === "Enter" || event.key === " ") this.#choose(this.active);
    else return;
    event.preventDefault();
  }

  #turn(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = Object.keys(LISTS);
    const name = names[(names.indexOf(this.shown) + step + names.length) % names.length];
    this.show(name);
    this.tabs.querySelector(`#tab-${name}`).focus();
  }
}

const EMPTY = {
  links: "This network has no links.",
  switches: "",
  hosts: "No host is known yet: one is as soon as it is heard.",
  connections: "No MPTCP connection passes this switch's hosts now.",
  paths: "Fewer than two switches have hosts, so there is no pair of edges.",
  events: "Nothing has happened since the agent was started.",
};

function compare(a, b) {
  const at = a.findIndex((number, index) => number !== b[index]);
  return at < 0 ? 0 : a[at] - b[at];
}
