// Where switches are drawn. A place, once found, stays: what changes later moves nothing that was there before.

import { byName } from "./model.js";

/** A force layout may take so long, in milliseconds, and so many steps. */
const LONGEST = 2500;
const STEPS = 300;
/** Of all links so many may lead to a switch of the same layer in a network of layers. */
const ACROSS = 0.02;
/** So many hosts are drawn beside each other. */
const RING = 12;

/** The switch at the other end of a link. */
const other = (model, link, at) => {
  const { a, b } = model.shape.links[link];
  return a === at ? b : a;
};

/** Distance of each switch from the nearest of some, in links; switches that are not reached are on layer 0. */
function distances(model, starts) {
  const distance = model.shape.switches.map(() => undefined);
  let next = [...starts];
  for (const at of next) distance[at] = 0;
  while (next.length) {
    const found = [];
    for (const at of next) {
      for (const link of model.linksAt[at]) {
        const to = other(model, link, at);
        if (distance[to] === undefined) {
          distance[to] = distance[at] + 1;
          found.push(to);
        }
      }
    }
    next = found;
  }
  return distance.map((steps) => steps ?? 0);
}

/** Switches in rows, each in an order in which links cross little: the better one of two attempts. */
function rows(model, layer) {
  const [once, often] = [1, 4].map((sweeps) => arranged(model, layer, sweeps));
  return once.length <= often.length ? once.rows : often.rows;
}

/** Rows by name, then by sweeps up and down in which switches move to the middle of their neighbours. */
function arranged(model, layer, sweeps) {
  const all = [];
  model.shape.switches.forEach((at, index) => (all[layer[index]] ??= []).push(index));
  const place = [];
  const name = (index) => model.shape.switches[index].name;
  const settle = (row) => row.forEach((index, x) => (place[index] = (x + 0.5) / row.length));
  for (const row of all) {
    row.sort((a, b) => byName(name(a), name(b)));
    settle(row);
  }
  const middle = (index, from) => {
    const others = model.linksAt[index].map((link) => other(model, link, index));
    const near = others.filter((to) => layer[to] === from).map((to) => place[to]);
    return near.length ? mean(near) : place[index];
  };
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    const upwards = sweep % 2 === 0;
    const order = upwards ? all.keys() : [...all.keys()].reverse();
    for (const number of order) {
      const from = upwards ? number - 1 : number + 1;
      if (!all[from]) continue;
      const wish = new Map(all[number].map((index) => [index, middle(index, from)]));
      all[number].sort((a, b) => wish.get(a) - wish.get(b) || byName(name(a), name(b)));
      settle(all[number]);
    }
  }
  const length = model.shape.links.reduce((sum, { a, b }) => sum + Math.abs(place[a] - place[b]), 0);
  return { rows: all, length };
}

/** Layers of a network that has them: from left to right between two edges, else upwards from all edges. */
function layered(model) {
  const edges = model.edges().map((name) => model.switchNamed.get(name));
  if (edges.length < 2) return undefined;
  const isBetweenTwo = edges.length === 2;
  const layer = distances(model, isBetweenTwo ? edges.slice(0, 1) : edges);
  const across = model.shape.links.filter(({ a, b }) => layer[a] === layer[b]).length;
  const count = Math.max(...layer) + 1;
  if (count < 2 || count > 9 || across > ACROSS * model.shape.links.length) return undefined;
  const all = rows(model, layer);
  const widest = Math.max(...all.map((row) => row.length));
  const depth = (isBetweenTwo ? 0.9 : 0.34) * Math.max(widest, 3);
  return model.shape.switches.map((at, index) => {
    const row = all[layer[index]];
    const along = ((row.indexOf(index) + 0.5) / row.length - 0.5) * widest;
    const up = layer[index] * depth;
    return isBetweenTwo ? { x: up, y: -along } : { x: along, y: up };
  });
}

/** Places by springs and repulsion; those that are known stay. */
function forced(model, known) {
  const nodes = model.shape.switches.map((at, index) => {
    const place = known.get(at.name);
    const angle = (2 * Math.PI * index) / model.shape.switches.length;
    const start = { x: 10 * Math.cos(angle), y: 10 * Math.sin(angle) };
    return place ? { ...place, fx: place.x, fy: place.y } : start;
  });
  const links = model.shape.links.map(({ a, b }) => ({ source: a, target: b }));
  const simulation = d3
    .forceSimulation(nodes)
    .force("links", d3.forceLink(links).distance(1))
    .force("apart", d3.forceManyBody().strength(-1.5))
    .force("centre", d3.forceCenter())
    .stop();
  const end = performance.now() + LONGEST;
  for (let step = 0; step < STEPS && performance.now() < end; step += 1) simulation.tick();
  return nodes.map(({ x, y }) => ({ x, y }));
}

/** Places of all switches and hosts, each by its name. `known` has those of before. */
export function layout(model, known) {
  const { switches, hosts } = model.shape;
  const isSame = known.size > 0 && switches.every((at) => known.has(at.name));
  const places = isSame ? switches.map((at) => known.get(at.name)) : layered(model) ?? forced(model, known);
  const all = new Map(switches.map((at, index) => [at.name, places[index]]));
  const unit = spacing(places);
  const behind = switches.map(() => []);
  hosts.forEach((host) => behind[host.switch].push(host));
  behind.forEach((row, index) => {
    const neighbours = model.linksAt[index].map((link) => places[other(model, link, index)]);
    for (const [host, place] of fan(row, places[index], neighbours, unit)) all.set(hostKey(host), place);
  });
  return all;
}

/** By what a host is told from others. */
export const hostKey = (host) => `host ${host.switch} ${host.port} ${host.name}`;

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);

/** How far switches are from their nearest neighbour, about. */
function spacing(places) {
  const nearest = places.slice(0, 100).map((place) =>
    Math.min(...places.filter((to) => to !== place).map((to) => Math.hypot(to.x - place.x, to.y - place.y)))
  );
  const finite = nearest.filter((distance) => Number.isFinite(distance) && distance > 0).sort((a, b) => a - b);
  return finite[Math.floor(finite.length / 2)] ?? 1;
}

/** Hosts of a switch in a fan on the side that its links leave free. */
function fan(hosts, at, neighbours, unit) {
  const [x, y] = [mean(neighbours.map((other) => other.x - at.x)), mean(neighbours.map((other) => other.y - at.y))];
  const direction = Math.hypot(x, y) > 1e-6 ? Math.atan2(-y, -x) : -Math.PI / 2;
  const step = Math.min(0.55, 2.4 / Math.max(1, hosts.length));
  return hosts.map((host, number) => {
    const inRing = Math.min(hosts.length, RING);
    const reach = unit * (0.6 + 0.25 * Math.floor(number / RING));
    const angle = direction + ((number % RING) - (inRing - 1) / 2) * step;
    return [host, { x: at.x + reach * Math.cos(angle), y: at.y + reach * Math.sin(angle) }];
  });
}
