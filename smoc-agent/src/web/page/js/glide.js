// While the view moves very many links are not drawn anew: a picture of them moves along.

/** They are when the view has rested for so long, in milliseconds, and for two frames: each may take longer. */
const REST = 150;
/** Two corners of the network's square, by which the picture is put in its place. */
const CORNERS = [{ x: 0, y: 0 }, { x: 1, y: 1 }];

export class Glide {
  /** `isWanted` says whether there are that many links. */
  constructor(isWanted) {
    this.isWanted = isWanted;
    this.isMoving = false;
  }

  /** A sigma program for edges that leaves them out while the view moves. */
  resting(Program) {
    const glide = this;
    return class extends Program {
      render(parameters) {
        if (!glide.isMoving) super.render(parameters);
      }
    };
  }

  /** Follows the view of a sigma instance. */
  follow(sigma) {
    this.sigma = sigma;
    this.links = sigma.getCanvases().edges;
    this.picture = sigma.createCanvas("glide", { beforeLayer: "edges" });
    this.context = this.picture.getContext("2d");
    Object.assign(this.picture.style, { pointerEvents: "none", transformOrigin: "0 0", visibility: "hidden" });
    sigma.getCamera().on("updated", () => this.#moved());
    sigma.on("resize", () => this.#rest());
    sigma.on("afterRender", () => (this.isMoving ? this.#place() : this.#keep()));
  }

  #moved() {
    // Without a picture the links are drawn.
    if (!this.isWanted() || !this.corners) return;
    this.isMoving = true;
    this.#wait();
    const later = (then) => (this.frame = requestAnimationFrame(then));
    this.timer = setTimeout(() => later(() => later(() => this.#rest())), REST);
  }

  /** Not yet. */
  #wait() {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
  }

  #rest() {
    this.#wait();
    this.isMoving = false;
    this.sigma.scheduleRender();
  }

  /** Takes the picture, in the turn in which the links were drawn: later their canvas may be empty. */
  #keep() {
    this.picture.style.visibility = "hidden";
    this.corners = undefined;
    if (!this.isWanted()) return;
    const { links, picture, context } = this;
    [picture.width, picture.height] = [links.width, links.height];
    Object.assign(picture.style, { width: `${links.clientWidth}px`, height: `${links.clientHeight}px` });
    context.drawImage(links, 0, 0);
    this.corners = this.#spots();
  }

  /** Two fingers also turn the view: the picture is moved, scaled and turned, as the line between the corners is. */
  #place() {
    const [[before, end], [from, to]] = [this.corners, this.#spots()];
    const [bx, by, dx, dy] = [end.x - before.x, end.y - before.y, to.x - from.x, to.y - from.y];
    const length = bx * bx + by * by || 1;
    const [along, across] = [(bx * dx + by * dy) / length, (bx * dy - by * dx) / length];
    const [x, y] = [from.x - along * before.x + across * before.y, from.y - across * before.x - along * before.y];
    this.picture.style.transform = `matrix(${along}, ${across}, ${-across}, ${along}, ${x}, ${y})`;
    this.picture.style.visibility = "visible";
  }

  #spots() {
    return CORNERS.map((corner) => this.sigma.framedGraphToViewport(corner));
  }
}
