// What the page knows: the network, the state of its links, and rates made of counters that grow.

/** A path whose counters did not grow for so long carries nothing: tables are read every 5 s. */
const STALE = 12;

/** States of a link, the worst first. */
export const STATES = {
  down: "down: the switches at its ends say so",
  drained: "drained by operators: traffic leaves it",
  detoured: "takes ranks whose own link is down or drained",
  up: "up",
};

export class Model {
  constructor() {
    this.shape = undefined;
    this.live = undefined;
    this.ports = new Map();
    this.paths = new Map();
  }

  /** Takes an answer; whether the network is another one than before. */
  take(live) {
    const isNew = live.fabric !== undefined;
    if (isNew) this.#takeShape(live.fabric, live.shape);
    if (this.live && (live.pid !== this.live.pid || live.uptime_seconds < this.live.uptime_seconds)) {
      this.ports.clear();
      this.paths.clear();
    }
    this.live = live;
    this.#takeStates(live);
    this.#takeLoads(live);
    return isNew;
  }

  #takeShape(shape, key) {
    this.shape = shape;
    this.key = key;
    const places = (list) => new Map(list.map((item, index) => [item.name, index]));
    this.switchNamed = places(shape.switches);
    this.linkNamed = places(shape.links);
    this.hostOf = new Map(shape.hosts.flatMap((host, index) => host.addresses.map((address) => [address, index])));
    this.linksAt = shape.switches.map(() => []);
    shape.links.forEach((link, index) => {
      this.linksAt[link.a].push(index);
      this.linksAt[link.b].push(index);
    });
    const names = shape.links.map((link) => link.name);
    this.linksByName = names.map((name, index) => index).sort((a, b) => byName(names[a], names[b]));
    this.states = shape.links.map(() => "up");
    this.rates = shape.links.map(() => ({ there: 0, back: 0, known: false }));
  }

  #takeStates({ down, drained, detoured }) {
    this.states.fill("up");
    for (const link of detoured) this.states[link] = "detoured";
    for (const link of drained) this.states[link] = "drained";
    for (const link of down) this.states[link] = "down";
  }

  /** Bits a second of a counter since it was read last. */
  #rate(counters, key, value, now, stale) {
    const before = counters.get(key);
    if (value === null || value === undefined) return 0;
    if (!before || value < before.value) {
      counters.set(key, { value, at: now, rate: 0 });
      return 0;
    }
    if (value === before.value && now - before.at < stale) return before.rate;
    if (now - before.at >= 0.2) {
      const bits = (8 * (value - before.value)) / (now - before.at);
      counters.set(key, { value, at: now, rate: bits });
      return bits;
    }
    return before.rate;
  }

  #takeLoads(live) {
    const now = live.uptime_seconds;
    for (const rate of this.rates) Object.assign(rate, { there: 0, back: 0, known: false });
    for (const path of live.paths) {
      const key = `${path.edge} ${path.rule ?? ""} ${path.rank}`;
      path.sentRate = this.#rate(this.paths, `${key} sent`, path.sent, now, STALE);
      path.receivedRate = this.#rate(this.paths, `${key} received`, path.received, now, STALE);
      this.#along(path);
    }
    for (const port of live.ports) {
      port.sentRate = this.#rate(this.ports, `${port.number} sent`, port.sent, now, 1);
      port.receivedRate = this.#rate(this.ports, `${port.number} received`, port.received, now, 1);
      if (port.link === null) continue;
      const isOut = this.shape.links[port.link].a === this.shape.this;
      const [there, back] = isOut ? [port.sentRate, port.receivedRate] : [port.receivedRate, port.sentRate];
      this.rates[port.link] = { there, back, known: true };
    }
  }

  /** Adds what a path of this switch carries to each of its links, in its direction. */
  #along(path) {
    let at = this.shape.this;
    for (const index of path.links) {
      const link = this.shape.links[index];
      const isOut = link.a === at;
      const rate = this.rates[index];
      rate.there += isOut ? path.sentRate : path.receivedRate;
      rate.back += isOut ? path.receivedRate : path.sentRate;
      at = isOut ? link.b : link.a;
    }
  }

  /** How much of a link's capacity is used in its busier direction, 0 to 1; of one without a capacity undefined. */
  load(index) {
    const capacity = this.shape.links[index].capacity;
    const { there, back } = this.rates[index];
    return capacity ? Math.min(1, Math.max(there, back) / capacity) : undefined;
  }

  /** The busier direction, bits a second. */
  busiest(index) {
    return Math.max(this.rates[index].there, this.rates[index].back);
  }

  /** Numbers of links by their names; those that are not there (any more) are left out. */
  numbers(names) {
    return names.map((name) => this.linkNamed.get(name)).filter((index) => index !== undefined);
  }

  /** Switches with hosts, by name. */
  edges() {
    const edges = this.shape.switches.filter((at) => at.addresses > 0).map((at) => at.name);
    const declared = this.shape.hosts.map((host) => this.shape.switches[host.switch].name);
    return [...new Set([...edges, ...declared])].sort(byName);
  }

  /** Whether a name is that of the switch that is asked. */
  isThis(name) {
    return this.switchNamed.get(name) === this.shape.this;
  }
}

/** The order of names: e2 before e10. */
export const byName = new Intl.Collator("en", { numeric: true }).compare;
