// Colours of loads and states, as the style sheet has them.

/** Colours of the style sheet. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["paper", "ground", "ink", "muted", "down", "drained", "detoured", "edge", "transit", "host", "faint", "fail"];
  const ranks = [0, 1, 2, 3, 4, 5, 6, 7].map((rank) => colour(`rank-${rank}`));
  const loads = [0, 1, 2, 3, 4].map((step) => colour(`load-${step}`));
  return { ...Object.fromEntries(names.map((name) => [name, colour(name)])), ranks, loads };
}

/** Loads from which on a link has the next colour. */
export const LOADS = [0.01, 0.33, 0.66, 0.9];

/** The colour of a load, 0 to 1. */
export function heat(colours, load) {
  return colours.loads[LOADS.filter((from) => load >= from).length];
}

/** A colour, `#rrggbb`, that lets through what is below; multiplied by its opacity, as sigma adds it to that. */
export function faded(colour, opacity) {
  const parts = [1, 3, 5].map((at) => Math.round(opacity * parseInt(colour.slice(at, at + 2), 16)));
  return `rgba(${parts.join(",")},${opacity})`;
}
