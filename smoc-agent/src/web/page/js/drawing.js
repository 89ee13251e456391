// The network, drawn: switches, hosts and links by sigma, what is chosen on a canvas above it.

import { Glide } from "./glide.js";
import { faded, heat, LOADS, palette } from "./heat.js";
import { hostKey, layout } from "./layout.js";
import { STATES } from "./model.js";
import { Overlay } from "./overlay.js";

/** With more links they are drawn thin. */
const MANY = 1500;
/** So many hosts have their names beside them always. */
const FEW = 12;
const STATE_CODES = Object.fromEntries(Object.keys(STATES).map((state, code) => [state, code]));
/** A link is meant by what is so near, in pixels. */
const REACH = 9;
/** Distance of parallel links, as a part of their length. */
const BEND = 0.16;

export class Drawing {
  /** `choose(kind, name)` is called for what is clicked, `point(text, x, y)` for what the pointer is on. */
  constructor(container, { choose, point }) {
    this.container = container;
    this.handlers = { choose, point };
    this.places = new Map();
    this.colours = palette();
    this.focus = { paths: [], failed: [] };
  }

  /** Draws another network; what was there before stays where it was. */
  show(model) {
    this.model = model;
    this.places = layout(model, this.places);
    this.graph = new graphology.MultiGraph();
    const { switches, links, hosts } = model.shape;
    const edges = new Set(model.edges());
    switches.forEach((at, index) => this.graph.addNode(`s${index}`, this.#switchNode(at, index, edges)));
    hosts.forEach((host, index) => {
      const place = this.places.get(hostKey(host));
      const size = hosts.length > 200 ? 2 : 5;
      this.graph.addNode(`h${index}`, { ...place, label: host.name, size, color: this.colours.host, zIndex: 0, forceLabel: hosts.length <= FEW });
      this.graph.addEdgeWithKey(`a${index}`, `h${index}`, `s${host.switch}`, { size: 1, color: this.colours.faint });
    });
    this.bends = bends(links);
    this.styles = links.map(() => undefined);
    links.forEach(({ a, b }, index) => {
      const type = this.bends[index] ? "curved" : "line";
      this.graph.addEdgeWithKey(`l${index}`, `s${a}`, `s${b}`, { type, curvature: this.bends[index], size: 1, zIndex: 1 });
    });
    if (this.sigma) this.sigma.setGraph(this.graph);
    else this.#start();
    this.recolour();
  }

  #switchNode(at, index, edges) {
    const isEdge = edges.has(at.name);
    const size = this.model.shape.switches.length > 150 ? 4 : isEdge ? 12 : 10;
    const color = isEdge ? this.colours.edge : this.colours.transit;
    const isThis = index === this.model.shape.this;
    return { ...this.places.get(at.name), label: at.name, size: isThis ? size * 1.25 : size, color, zIndex: 2, forceLabel: isThis || this.#hasRoom() };
  }

  /** Whether all names of switches fit. */
  #hasRoom() {
    return this.model.shape.switches.length <= this.container.clientWidth / 15;
  }

  #start() {
    const { EdgeRectangleProgram, EdgeCurveProgram } = Sigma.rendering;
    this.glide = new Glide(() => this.isThin());
    this.sigma = new Sigma(this.graph, this.container, {
      allowInvalidContainer: true,
      zIndex: true,
      edgeProgramClasses: { line: this.glide.resting(EdgeRectangleProgram), curved: this.glide.resting(EdgeCurveProgram) },
      defaultDrawNodeLabel: (context, data, settings) => data.label && this.#drawLabel(context, data, settings),
      defaultDrawNodeHover: (context, data, settings) => this.#drawHover(context, data, settings),
      labelRenderedSizeThreshold: 4,
      labelDensity: 0.7,
      labelGridCellSize: 90,
      labelFont: "system-ui, sans-serif",
      labelSize: 13,
      labelWeight: "600",
      stagePadding: 46,
      minEdgeThickness: this.isThin() ? 0.7 : 1.7,
      minCameraRatio: 0.02,
      maxCameraRatio: 2.5,
    });
    this.overlay = new Overlay(this.sigma.createCanvas("ranks", { beforeLayer: "nodes" }), this);
    this.sigma.on("afterRender", () => this.overlay.draw());
    this.glide.follow(this.sigma);
    this.sigma.on("clickNode", ({ node }) => this.#chosen(node));
    this.sigma.on("clickStage", ({ event: { x, y } }) => {
      const link = this.near(x, y);
      if (link === undefined) this.handlers.choose();
      else this.handlers.choose("link", this.model.shape.links[link].name);
    });
    this.sigma.on("moveBody", ({ event }) => {
      const link = this.isThin() || this.isOnNode ? undefined : this.near(event.x, event.y);
      if (link !== undefined || this.pointed !== undefined) this.handlers.point(link, event);
      this.pointed = link;
    });
    this.sigma.on("enterNode", () => (this.isOnNode = true));
    this.sigma.on("leaveNode", () => (this.isOnNode = false));
    this.sigma.on("leaveStage", () => this.handlers.point());
  }

  #chosen(key) {
    const index = Number(key.slice(1));
    const { switches, hosts } = this.model.shape;
    if (key[0] === "s") this.handlers.choose("switch", switches[index].name);
    else this.handlers.choose("host", hosts[index].name);
  }

  /** A name with a rim in the colour of the ground, so that it is read above lines. */
  #drawLabel(context, data, settings) {
    context.font = `${settings.labelWeight} ${settings.labelSize}px ${settings.labelFont}`;
    const [x, y] = [data.x + data.size + 4, data.y + settings.labelSize / 3];
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = this.colours.ground;
    context.strokeText(data.label, x, y);
    context.fillStyle = this.colours.ink;
    context.fillText(data.label, x, y);
  }

  #drawHover(context, data, settings) {
    context.font = `${settings.labelWeight} ${settings.labelSize}px ${settings.labelFont}`;
    const width = context.measureText(data.label ?? "").width;
    context.fillStyle = this.colours.paper;
    context.strokeStyle = this.colours.muted;
    context.beginPath();
    context.roundRect(data.x + data.size + 2, data.y - 11, width + 10, 22, 6);
    context.fill();
    context.stroke();
    context.fillStyle = this.colours.ink;
    context.fillText(data.label ?? "", data.x + data.size + 7, data.y + 4.5);
  }

  /** Takes the colours of the style sheet anew. */
  recolour() {
    this.colours = palette();
    if (!this.sigma) return;
    // Whatever is scheduled comes first: single links cannot be drawn anew before all are indexed.
    this.sigma.refresh();
    const edges = new Set(this.model.edges());
    this.model.shape.switches.forEach((at, index) =>
      this.graph.setNodeAttribute(`s${index}`, "color", this.#switchNode(at, index, edges).color)
    );
    this.model.shape.hosts.forEach((host, index) => {
      this.graph.setNodeAttribute(`h${index}`, "color", this.colours.host);
      this.graph.setEdgeAttribute(`a${index}`, "color", this.colours.faint);
    });
    this.styles.fill(undefined);
    this.update();
  }

  /** Draws what is chosen: `paths` with links and colour, links that `failed`, a `link` or a `node`. */
  concentrate(focus) {
    this.focus = focus;
    this.update();
  }

  /** Colours links by state and load; only what looks different is drawn anew. */
  update() {
    if (!this.sigma) return;
    const isAside = this.focus.paths.length > 0;
    this.model.shape.links.forEach((link, index) => {
      const state = this.model.states[index];
      const load = this.model.load(index) ?? (this.model.busiest(index) > 1e6 ? 0.2 : 0);
      const step = Math.round(load * 20);
      const key = STATE_CODES[state] + 10 * step + (isAside ? 1000 : 0);
      if (this.styles[index] === key) return;
      this.styles[index] = key;
      this.graph.mergeEdgeAttributes(`l${index}`, this.#style(state, step / 20, isAside));
    });
    this.overlay?.draw();
  }

  #style(state, step, isAside) {
    const { colours } = this;
    const thin = this.isThin();
    const size = (thin ? 0.7 : 2.2) + (thin ? 1.5 : 4) * step;
    if (state !== "up") return { color: colours[state], size: thin ? 2 : Math.max(size, 3) };
    const isIdle = thin && (isAside || step < LOADS[0]);
    if (isIdle) return { color: faded(colours.loads[0], isAside ? 0.06 : 0.14), size: 0.5 };
    return { color: isAside ? colours.faint : heat(colours, step), size: isAside ? 1.6 : size };
  }

  /** Whether there are so many links that most are drawn faintly, and what matters above them. */
  isThin() {
    return this.model.shape.links.length > MANY;
  }

  /** Where a link is on the screen: its ends and, if it bends, the point it bends to. */
  line(index) {
    const { a, b } = this.model.shape.links[index];
    const [from, to] = [this.spot(`s${a}`), this.spot(`s${b}`)];
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const bend = this.bends[index] ?? 0;
    const middle = { x: (from.x + to.x) / 2 + dy * bend, y: (from.y + to.y) / 2 - dx * bend };
    return { from, to, middle };
  }

  /** The link that is drawn nearest to a point, if one is within a finger's reach. */
  near(x, y) {
    let [found, nearest] = [undefined, REACH];
    this.model.shape.links.forEach((link, index) => {
      const { from, to, middle } = this.line(index);
      const bend = { x: (from.x + to.x + 2 * middle.x) / 4, y: (from.y + to.y + 2 * middle.y) / 4 };
      const distance = Math.min(away(from, bend, x, y), away(bend, to, x, y));
      if (distance < nearest) [found, nearest] = [index, distance];
    });
    return found;
  }

  /** Where a node is on the screen. */
  spot(node) {
    const { x, y } = this.graph.getNodeAttributes(node);
    return this.sigma.graphToViewport({ x, y });
  }

  /** Where something with a name can be clicked, in pixels of the window. */
  where(kind, name) {
    const { left, top } = this.container.getBoundingClientRect();
    const { model } = this;
    if (kind === "link") {
      const { from, to, middle } = this.line(model.linkNamed.get(name));
      return { x: left + (from.x + to.x + 2 * middle.x) / 4, y: top + (from.y + to.y + 2 * middle.y) / 4 };
    }
    const index = kind === "switch" ? model.switchNamed.get(name) : model.shape.hosts.findIndex((host) => host.name === name);
    const { x, y } = this.spot(`${kind[0]}${index}`);
    return { x: left + x, y: top + y };
  }

  /** Moves the view. */
  look(how) {
    const camera = this.sigma.getCamera();
    if (how === "in") camera.animatedZoom({ duration: 200 });
    else if (how === "out") camera.animatedUnzoom({ duration: 200 });
    else camera.animatedReset({ duration: 200 });
  }
}

/** How far a point is from a straight line between two others. */
function away(from, to, x, y) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const along = ((x - from.x) * dx + (y - from.y) * dy) / (dx * dx + dy * dy || 1);
  const part = Math.max(0, Math.min(1, along));
  return Math.hypot(from.x + part * dx - x, from.y + part * dy - y);
}

/** How much each of several links between two switches bends; 0: it is straight. */
function bends(links) {
  const groups = new Map();
  links.forEach(({ a, b }, index) => {
    const key = `${Math.min(a, b)} ${Math.max(a, b)}`;
    groups.set(key, [...(groups.get(key) ?? []), index]);
  });
  const all = links.map(() => 0);
  for (const group of groups.values()) {
    group.forEach((index, place) => {
      const bend = (place - (group.length - 1) / 2) * BEND;
      all[index] = links[index].a < links[index].b ? bend : -bend;
    });
  }
  return all;
}
