// What is drawn above the network: ranks beside each other in their colours, what is chosen, what fails, and signs of states.

import { heat } from "./heat.js";

/** With more links in one state they have no signs. */
const SIGNS = 300;
const SIGN = { down: "×", drained: "‖", detoured: "↷" };

export class Overlay {
  constructor(canvas, drawing) {
    this.canvas = canvas;
    this.drawing = drawing;
    this.context = canvas.getContext("2d");
    Object.assign(canvas.style, { width: "100%", height: "100%", pointerEvents: "none" });
  }

  draw() {
    const { canvas, context, drawing } = this;
    if (!drawing.sigma) return;
    const scale = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.lineCap = "round";
    context.lineJoin = "round";
    if (drawing.isThin()) this.#lifted();
    this.#chosen();
    this.#paths();
    this.#signs();
    this.#failed();
  }

  /** Of very many links those in trouble or busy, above all others. */
  #lifted() {
    const { context, drawing } = this;
    const { model, colours } = drawing;
    const busy = model.live.paths.flatMap((path) => path.links).filter((link) => model.states[link] === "up");
    const isAside = drawing.focus.paths.length > 0;
    for (const link of isAside ? [] : new Set(busy.slice(0, SIGNS))) {
      context.strokeStyle = heat(colours, model.load(link) ?? 0.2);
      this.#stroke(link, 0, 2);
    }
    for (const state of Object.keys(SIGN)) {
      context.strokeStyle = colours[state];
      for (const link of model.live[state].slice(0, SIGNS)) if (model.states[link] === state) this.#stroke(link, 0, 2);
    }
  }

  #chosen() {
    const { context, drawing } = this;
    const { link, node } = drawing.focus;
    context.strokeStyle = drawing.colours.ink;
    if (link !== undefined) {
      context.globalAlpha = 0.3;
      this.#stroke(link, 0, 14);
      context.globalAlpha = 1;
    }
    if (node === undefined || !drawing.graph.hasNode(node)) return;
    const { x, y } = drawing.spot(node);
    const size = drawing.sigma.scaleSize(drawing.graph.getNodeAttribute(node, "size"));
    context.lineWidth = 2.5;
    context.beginPath();
    context.arc(x, y, size + 5, 0, 2 * Math.PI);
    context.stroke();
  }

  /** Paths that share a link run beside each other. */
  #paths() {
    const { context, drawing } = this;
    const lanes = new Map();
    const { paths } = drawing.focus;
    paths.forEach((path, number) => path.links.forEach((link) => lanes.set(link, [...(lanes.get(link) ?? []), number])));
    for (const [link, numbers] of lanes) {
      const width = Math.max(2.5, Math.min(5, 22 / numbers.length));
      numbers.forEach((number, lane) => {
        context.strokeStyle = paths[number].colour;
        context.setLineDash(paths[number].isGone ? [3, 9] : []);
        this.#stroke(link, (lane - (numbers.length - 1) / 2) * (width + 1), width);
      });
    }
    context.setLineDash([]);
  }

  #signs() {
    const { drawing } = this;
    const { model, colours } = drawing;
    for (const [state, sign] of Object.entries(SIGN)) {
      const links = model.live[state];
      if (links.length > SIGNS) continue;
      for (const link of links) if (model.states[link] === state) this.#badge(link, sign, colours[state]);
    }
  }

  #failed() {
    const { context, drawing } = this;
    context.strokeStyle = drawing.colours.fail;
    context.setLineDash([8, 8]);
    for (const link of drawing.focus.failed) this.#stroke(link, 0, 5);
    context.setLineDash([]);
    if (drawing.focus.failed.length > SIGNS) return;
    for (const link of drawing.focus.failed) this.#badge(link, "?", drawing.colours.fail);
  }

  /** A sign in the middle of a link. */
  #badge(link, sign, colour) {
    const { context, drawing } = this;
    const { from, to, middle } = drawing.line(link);
    const [x, y] = [(from.x + to.x + 2 * middle.x) / 4, (from.y + to.y + 2 * middle.y) / 4];
    context.fillStyle = drawing.colours.paper;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, 9, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.fillStyle = colour;
    context.font = "bold 13px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(sign, x, y + 0.5);
  }

  /** A line along a link, so far to its left as seen from its first end. */
  #stroke(link, offset, width) {
    const { context, drawing } = this;
    const { from, to, middle } = drawing.line(link);
    const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
    const [dx, dy] = [((to.y - from.y) / length) * offset, (-(to.x - from.x) / length) * offset];
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(from.x + dx, from.y + dy);
    context.quadraticCurveTo(middle.x + dx, middle.y + dy, to.x + dx, to.y + dy);
    context.stroke();
  }
}
