// The page: what is chosen, what is asked for it, and when it is shown.

import { ask, order, poll, token } from "./agent.js";
import { details } from "./details.js";
import { Drawing } from "./drawing.js";
import { Finder } from "./finder.js";
import { LOADS } from "./heat.js";
import { Model, STATES } from "./model.js";
import { Lists, subject } from "./panels.js";
import { Timeline } from "./timeline.js";
import { count, element, morphChildren, percent, rate } from "./units.js";

const find = (id) => document.getElementById(id);
/** Most events that are kept. */
const EVENTS = 2000;

class Page {
  model = new Model();
  events = [];
  nextEvent = 0;
  connections = [];
  carried = new Map();

  constructor() {
    this.drawing = new Drawing(find("graph"), {
      choose: (kind, name) => this.select(kind, name),
      point: (index, event) => this.#point(index, event),
    });
    this.lists = new Lists(this, find("tabs"), find("list"), find("more"));
    this.timeline = new Timeline(find("timeline"), (event) => {
      const { kind, name } = subject(this.model, event);
      if (kind) this.select(kind, name);
    });
    this.finder = new Finder(find("text"), find("found"), (kind, name) => this.select(kind, name));
    this.#theme(localStorage.getItem("smoc-theme"));
    find("theme").addEventListener("click", () => this.#theme(this.#isDark() ? "light" : "dark"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
    find("view").addEventListener("click", (event) => event.target.dataset.view && this.drawing.look(event.target.dataset.view));
    addEventListener("keydown", (event) => this.#press(event));
    addEventListener("hashchange", () => this.#follow());
    find("give").addEventListener("submit", (event) => this.#give(event));
    this.tip = find("stage").appendChild(element("div", { id: "tip", hidden: true }));
    poll(() => this.#read());
  }

  /** The switch that is asked. */
  here() {
    return this.model.live.switch;
  }

  async #read() {
    try {
      this.session ??= await ask("session");
      const before = this.model.live?.pid;
      const live = await ask("live", { shape: this.model.key });
      if (before !== undefined && before !== live.pid) [this.events, this.nextEvent] = [[], 0];
      const isNew = this.model.take(live);
      this.#say("live", live.ready ? "live" : "the agent is getting ready");
      if (isNew) this.drawing.show(this.model);
      if (isNew && !this.selection) this.#follow();
      this.#numbers();
      if (live.events !== this.nextEvent) await this.#readEvents();
      if (this.lists.shown === "connections") this.connections = (await this.#connections({})).connections;
      await this.#ask();
      this.#show();
      this.timeline.show(this.events, live.now);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error) {
    if (error.status === 401) {
      if (!find("ask").open) find("ask").showModal();
      return this.#say("away", "this page needs a token");
    }
    this.session = undefined;
    this.#say("away", `no answer (${error.message}): trying again`);
  }

  #say(state, text) {
    if (find("state").textContent === text) return;
    find("state").textContent = text;
    find("state").dataset.state = state;
    document.body.dataset.state = state;
  }

  #numbers() {
    const { live, states, shape } = this.model;
    find("switch").textContent = live.switch;
    document.title = `${live.switch} – smoc`;
    const number = (name, value, state) => element("div", { "data-state": state }, element("dt", {}, name), element("dd", {}, value.toLocaleString("en")));
    const of = (state) => states.filter((one) => one === state).length;
    const troubled = ["down", "drained", "detoured"].filter((state) => of(state)).map((state) => number(state, of(state), state));
    const warnings = live.warnings.length ? [number("warnings", live.warnings.length, "warning")] : [];
    const all = [number("switches", shape.switches.length), number("links", shape.links.length), ...troubled, number("connections", live.connections), number("subflows", live.subflows), ...warnings];
    find("numbers").replaceChildren(...all);
    find("numbers").title = live.warnings.join("\n");
  }

  async #readEvents() {
    const page = await ask("events", { from: this.nextEvent });
    const [first] = page.entries;
    if (page.missing && first && this.nextEvent) {
      const text = `${count(page.missing, "event")} are not kept any more`;
      this.events.push({ number: first.number - 1, at: first.at, kind: "gap", subject: "", text });
    }
    this.events = [...this.events, ...page.entries].slice(-EVENTS);
    this.nextEvent = page.next;
  }

  /** Connections, with the rates of their subflows since they were read last. */
  async #connections(filter) {
    const answer = await ask("connections", filter);
    const now = performance.now() / 1000;
    const since = (key, value) => {
      const before = this.carried.get(key);
      if (before && now - before.at < 0.5) return before.rate;
      const bits = before && value >= before.value ? (8 * (value - before.value)) / (now - before.at) : undefined;
      this.carried.set(key, { value, at: now, rate: bits });
      return bits;
    };
    for (const connection of answer.connections) {
      for (const subflow of connection.subflows) {
        const key = `${subflow.local.address} ${subflow.local.port} ${subflow.remote.address} ${subflow.remote.port}`;
        subflow.outRate = since(`${key} out`, subflow.bytes_sent);
        subflow.inRate = since(`${key} in`, subflow.bytes_received);
        subflow.rate = (subflow.outRate ?? 0) + (subflow.inRate ?? 0);
      }
    }
    for (const [key, { at }] of this.carried) if (now - at > 30) this.carried.delete(key);
    return answer;
  }

  /** Chooses something, or nothing. */
  select(kind, name) {
    const hash = kind ? `#${kind}/${encodeURIComponent(name)}` : "";
    if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname);
    this.endWhatIf(true);
    this.tip.hidden = true;
    Object.assign(this, { selection: kind ? { kind, name } : undefined, ranks: undefined, related: undefined, chosen: undefined, trouble: undefined });
    this.#show();
    find("details").scrollTop = 0;
    this.refresh();
  }

  /** Asks anew for what is chosen, at once. */
  async refresh() {
    try {
      await this.#ask();
    } catch (error) {
      this.trouble = error.message;
    }
    this.#show();
  }

  listChanged() {
    if (this.lists?.shown === "connections") this.#connections({}).then((answer) => ((this.connections = answer.connections), this.lists.update())).catch(() => {});
  }

  async #ask() {
    const asked = this.selection;
    if (!asked || !this.model.shape) return;
    const [ranks, related] = await Promise.all([this.#ranksOf(asked), this.#relatedTo(asked)]);
    if (asked !== this.selection) return;
    this.ranks = ranks;
    if (asked.kind === "connection") this.chosen = related?.connections.find((one) => one.tokens && [one.tokens.local, one.tokens.remote].includes(asked.name));
    else this.related = related;
  }

  #ranksOf({ kind, name }) {
    const here = this.here();
    if (kind === "pair") {
      const [from, to] = name.split(" ");
      return from === to ? undefined : ask("paths", { from, to });
    }
    const host = kind === "host" ? this.model.shape.hosts.find((one) => one.name === name) : undefined;
    const to = kind === "switch" ? name : host && this.model.shape.switches[host.switch].name;
    if (!to || to === here || !this.model.switchNamed.has(to)) return undefined;
    return ask("paths", { from: here, to });
  }

  #relatedTo({ kind, name }) {
    if (kind === "link") return this.#connections({ link: name });
    if (kind === "switch") return this.#connections({ switch: name });
    if (kind === "connection") return this.#connections({ token: name });
    const host = kind === "host" && this.model.shape.hosts.find((one) => one.name === name);
    return host && host.addresses.length ? this.#connections({ address: host.addresses }) : undefined;
  }

  #show() {
    if (!this.model.shape) return;
    this.lists.update();
    const section = find("details");
    const shown = details(this);
    section.hidden = !shown;
    document.body.classList.toggle("has-details", Boolean(shown));
    const close = element("button", { type: "button", class: "close", "aria-label": "Close", "data-key": "x", click: () => this.select() }, "×");
    const made = shown ? [close, ...shown] : [];
    const subject = this.whatIf ?? this.selection;
    if (this.subject === subject) morphChildren(section, made.map((child) => (child.nodeType ? child : document.createTextNode(child))));
    else section.replaceChildren(...made);
    this.subject = subject;
    this.drawing.concentrate(this.#focus());
    this.#legend();
  }

  /** What of it is drawn above the network. */
  #focus() {
    const { model, selection } = this;
    const colour = (rank) => this.drawing.colours.ranks[rank % 8];
    if (this.whatIf) {
      const effect = this.whatIf.effects[this.effect];
      const path = (isGone) => (links, rank) => links && (!isGone || effect.lost.includes(rank)) && { links, colour: colour(rank), isGone };
      const paths = effect ? [...effect.after.map(path(false)), ...effect.before.map(path(true))].filter(Boolean) : [];
      return { paths, failed: this.whatIf.links };
    }
    const none = { paths: [], failed: [] };
    if (!selection) return none;
    const { kind, name } = selection;
    if (kind === "connection") {
      const subflows = this.chosen?.subflows ?? [];
      return { ...none, paths: subflows.map((one) => ({ links: model.numbers(one.links), colour: colour(one.rank) })) };
    }
    if (kind === "link") {
      const link = model.linkNamed.get(name);
      const ranks = model.live.paths.filter((path) => path.subflows > 0 && path.links.includes(link));
      return { ...none, link, paths: ranks.slice(0, 8).map((path) => ({ links: path.links, colour: colour(path.rank) })) };
    }
    const place = kind === "switch" ? model.switchNamed.get(name) : model.shape.hosts.findIndex((host) => host.name === name);
    const ranks = this.ranks?.sets[0]?.ranks ?? [];
    const paths = ranks.map((one) => ({ links: model.numbers(one.links), colour: colour(one.rank), isGone: one.state === "broken" || one.state === "left" }));
    return { ...none, node: kind === "pair" ? undefined : `${kind[0]}${place}`, paths };
  }

  /** Asks what would come of a failure, and shows it. */
  async askWhatIf(name) {
    this.#banner(`Working out what comes of it if ${name} fails …`);
    try {
      this.whatIf = await ask("what-if", { fail: name });
      this.effect = this.whatIf.effects.length ? 0 : undefined;
      this.#banner(`What if ${name} fails: nothing has happened`);
      this.#show();
      find("details").focus();
    } catch (error) {
      this.#banner(`${name}: ${error.message}`);
    }
  }

  endWhatIf(isQuiet) {
    this.whatIf = undefined;
    this.#banner();
    if (!isQuiet) this.#show();
  }

  showEffect(index) {
    this.effect = index;
    this.#show();
  }

  #banner(text) {
    find("what-if").hidden = !text;
    find("what-if").textContent = text ?? "";
  }

  /** Drains a link or switch, or takes that back. */
  async drain(target, undrain) {
    const question = undrain ? `Take the drain of ${target} back?` : `Drain ${target}? New and running subflows leave it.`;
    if (!confirm(question)) return;
    try {
      await order(this.session, "drain", { target, undrain, reason: "from the page" });
      await this.#read();
    } catch (error) {
      this.#banner(`${target}: ${error.message}`);
    }
  }

  #legend() {
    const { colours } = this.drawing;
    const line = (text, colour) => {
      const mark = element("span", { class: "line" });
      mark.style.background = colour;
      return element("li", {}, mark, text);
    };
    const loads = [0, ...LOADS].map((load) => element("span", { class: "line", title: `load from ${percent(load)}` }));
    loads.forEach((mark, step) => (mark.style.background = colours.loads[step]));
    const ramp = element("li", { class: "ramp" }, "load 0", ...loads, "100 %");
    const states = Object.keys(STATES).filter((state) => state !== "up" && this.model.states.includes(state));
    find("legend").replaceChildren(ramp, ...states.map((state) => line(state, colours[state])), ...(this.whatIf ? [line("would fail", colours.fail)] : []));
  }

  #point(index, event) {
    this.tip.hidden = index === undefined;
    find("graph").classList.toggle("on-link", index !== undefined);
    if (index === undefined) return;
    const load = this.model.load(index);
    const state = this.model.states[index];
    this.tip.textContent = `${this.model.shape.links[index].name}: ${state === "up" ? "" : `${state}, `}${rate(this.model.busiest(index))} ${percent(load)}`;
    this.tip.style.left = `${Math.min(event.x + 12, find("stage").clientWidth - 220)}px`;
    this.tip.style.top = `${event.y + 14}px`;
  }

  #isDark() {
    const { theme } = document.documentElement.dataset;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  #theme(theme) {
    if (theme) {
      document.documentElement.dataset.theme = theme;
      localStorage.setItem("smoc-theme", theme);
    }
    this.#recolour();
  }

  #recolour() {
    find("theme").textContent = this.#isDark() ? "☀" : "☾";
    find("theme").title = this.#isDark() ? "Light" : "Dark";
    this.drawing.recolour();
    if (this.model.shape) this.#show();
  }

  #press(event) {
    if (event.key === "Escape") {
      if (this.whatIf) this.endWhatIf();
      else if (this.selection) this.select();
    }
    if (event.key === "/" && !["INPUT", "SELECT"].includes(document.activeElement?.tagName)) {
      event.preventDefault();
      find("text").focus();
    }
  }

  /** Chooses what the address of the page names. */
  #follow() {
    const [kind, name] = location.hash.slice(1).split("/");
    if (["link", "switch", "host", "pair", "connection"].includes(kind) && name) this.select(kind, decodeURIComponent(name));
  }

  #give(event) {
    event.preventDefault();
    token.set(find("token").value);
    find("ask").close();
    this.#read();
  }
}

/** The page, for those who drive it. */
export const page = new Page();
