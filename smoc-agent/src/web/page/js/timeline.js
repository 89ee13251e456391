// Events of the last minutes as marks on a line.

import { clock, element, morphChildren } from "./units.js";

const MINUTES = 10;
const MARKS = 400;

export class Timeline {
  constructor(line, choose) {
    this.line = line;
    this.events = [];
    line.addEventListener("click", (event) => {
      const number = event.target.dataset.number;
      const found = this.events.find((one) => String(one.number) === number);
      if (found) choose(found);
    });
  }

  /** Shows events as of a time, in microseconds since 1970. */
  show(events, now) {
    const start = now - MINUTES * 60e6;
    this.events = events.filter((event) => event.at >= start).slice(-MARKS);
    const place = (at) => `${Math.min(100, Math.max(0, (100 * (at - start)) / (now - start)))}%`;
    const marks = this.events.map((event) => {
      const title = `${clock(event.at)} ${event.kind} ${event.subject}: ${event.text}`;
      const mark = element("span", { class: "mark", "data-kind": event.kind, "data-number": event.number, title });
      mark.style.left = place(event.at);
      return mark;
    });
    const ticks = [8, 6, 4, 2].map((minutes) => {
      const tick = element("span", { class: "tick" }, `−${minutes} min`);
      tick.style.left = place(now - minutes * 60e6);
      return tick;
    });
    morphChildren(this.line, [...ticks, ...marks]);
    this.line.setAttribute("aria-label", `${this.events.length} events of the last ten minutes; the list of events has them as text`);
  }
}
