// What is said of the one thing that is chosen.

import { STATES } from "./model.js";
import { bytes, count, element, milliseconds, percent, rate } from "./units.js";

const title = (kind, name) => element("h2", {}, element("small", {}, kind), name);
const facts = (pairs) => element("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
const button = (key, text, click) => element("button", { type: "button", "data-key": key, click }, text);
const link = (page, kind, name, text = name) => element("button", { type: "button", class: "link", "data-key": `to ${kind} ${name}`, click: () => page.select(kind, name) }, text);
const swatch = (rank) => element("span", { class: "swatch", "data-rank": rank % 8 }, `${rank}`);
const table = (heads, rows) => element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))), element("tbody", {}, rows)));
const row = (...cells) => element("tr", {}, cells.map((cell) => element("td", {}, cell)));

/** Buttons for what can be done to a link or switch. */
function actions(page, name, isDrained) {
  const all = [button("fail", "Fail it and see", () => page.askWhatIf(name))];
  if (page.session?.order) all.push(button(`drain ${isDrained}`, isDrained ? "Take the drain back" : "Drain", () => page.drain(name, isDrained)));
  return element("p", { class: "actions" }, all);
}

function aboutLink(page, name) {
  const { model } = page;
  const index = model.linkNamed.get(name);
  if (index === undefined) return undefined;
  const { a, b, capacity, latency_ms: latency, cost, srlg, tree } = model.shape.links[index];
  const [from, to] = [model.shape.switches[a].name, model.shape.switches[b].name];
  const { there, back, known } = model.rates[index];
  const share = (bits) => (capacity ? ` (${percent(bits / capacity)})` : "");
  const state = model.states[index];
  const ranks = model.live.paths.filter((path) => path.subflows > 0 && path.links.includes(index));
  return [
    title("Link", name),
    facts([
      ["State", element("span", { class: "badge", "data-state": state, title: STATES[state] }, state)],
      [`${from} → ${to}`, rate(there) + share(there)],
      [`${to} → ${from}`, rate(back) + share(back)],
      ["Capacity", capacity ? rate(capacity) : "not told"],
      latency !== null && ["Latency", milliseconds(latency)],
      ["Cost", `${cost}`],
      srlg.length > 0 && ["Shared risks", srlg.join(", ")],
      tree && ["Base network", "on its tree"],
    ]),
    element("p", { class: "note" }, known ? `Rates are those of this switch's port.` : `Rates are what subflows of ${page.here()} put on it; what others do is not known here.`),
    actions(page, name, state === "drained"),
    element("p", {}, "Ends at ", link(page, "switch", from), " and ", link(page, "switch", to)),
    ranks.length > 0 && table(["rank", "to", "subflows", "out", "in"], ranks.map((path) => row(swatch(path.rank), path.edge, `${path.subflows}`, rate(path.sentRate), rate(path.receivedRate)))),
    connectionsOf(page),
  ];
}

function aboutSwitch(page, name) {
  const { model } = page;
  const index = model.switchNamed.get(name);
  if (index === undefined) return undefined;
  const links = model.linksAt[index];
  const hosts = model.shape.hosts.filter((host) => host.switch === index);
  const isDrained = links.length > 0 && links.every((one) => model.states[one] === "drained");
  return [
    title("Switch", name),
    facts([
      model.isThis(name) && ["Agent", `this one, version ${model.live.version}`],
      ["Links", `${links.length}`],
      ["Addresses", `${model.shape.switches[index].addresses}`],
    ]),
    actions(page, name, isDrained),
    hosts.length > 0 && element("p", {}, "Hosts: ", hosts.slice(0, 20).flatMap((host) => [link(page, "host", host.name), " "])),
    element("h3", {}, "Links"),
    element("ul", { class: "plain" }, links.slice(0, 60).map((one) => element("li", {}, link(page, "link", model.shape.links[one].name), element("span", { class: "badge", "data-state": model.states[one] }, model.states[one])))),
    page.ranks && ranksOf(page),
    connectionsOf(page),
  ];
}

function aboutHost(page, name) {
  const host = page.model.shape.hosts.find((one) => one.name === name);
  if (!host) return undefined;
  const at = page.model.shape.switches[host.switch].name;
  return [
    title("Host", name),
    facts([
      ["Attached to", element("span", {}, link(page, "switch", at), `, port ${host.port}`)],
      ["Addresses", host.addresses.join(" ") || "none known"],
    ]),
    page.ranks && ranksOf(page),
    connectionsOf(page),
  ];
}

function aboutPair(page, name) {
  const [from, to] = name.split(" ");
  const edges = page.model.edges();
  const choice = (label, chosen, take) => {
    const change = (event) => page.select("pair", take(event.target.value));
    const options = [...new Set([chosen, ...edges])].map((edge) => element("option", { value: edge, selected: edge === chosen }, edge));
    return element("label", {}, label, element("select", { "data-key": label, change }, options));
  };
  return [
    title("Paths", `${from} → ${to}`),
    element("p", { class: "actions" }, choice("from ", from, (edge) => `${edge} ${to}`), choice(" to ", to, (edge) => `${from} ${edge}`)),
    page.ranks ? ranksOf(page) : element("p", { class: "note" }, page.trouble ?? "asking"),
  ];
}

/** The ranks of a pair, in the colours in which they are drawn. */
function ranksOf(page) {
  const { from, to, live, sets } = page.ranks;
  const load = (rule, rank) => page.model.live.paths.find((path) => path.edge === (page.model.isThis(from) ? to : from) && path.rule === rule && path.rank === rank);
  return sets.flatMap(({ rule, ranks }) => [
    element("h3", {}, `Ranks from ${from} to ${to}${rule ? `, rule ${rule}` : ""}`),
    table(["rank", "path", "state", "RTT", "subflows", "rate"], ranks.map((one) => {
      const used = live ? load(rule, one.rank) : undefined;
      const path = element("span", { class: "path", title: one.links.join(" ") }, one.switches.join(" › "));
      const state = element("span", { class: "badge", "data-state": one.instead_of ? "detoured" : one.state }, one.instead_of ? "other path" : one.state);
      const subflows = used ? `${used.subflows}` : live ? "0" : "–";
      return row(swatch(one.rank), path, state, milliseconds(one.round_trip_ms), subflows, used ? rate(used.sentRate + used.receivedRate) : "–");
    })),
    !live && element("p", { class: "note" }, "Worked out here; what these two agents measure on them is not known."),
  ]);
}

function aboutConnection(page) {
  const connection = page.chosen;
  if (!connection) return [title("Connection", page.selection.name), element("p", { class: "note" }, page.trouble ?? "It is not in the tables (any more).")];
  const { tokens, version, local, remote, age_seconds: age, opened_by: by } = connection;
  return [
    title("Connection", tokens.local),
    facts([
      ["Tokens", element("span", {}, element("code", {}, tokens.local), " here, ", element("code", {}, tokens.remote), " there")],
      ["MPTCP", `version ${version}, opened by the ${by} host ${Math.round(age)} s ago`],
      ["From", `${local.switch}:${local.port}`],
      ["To", `${remote.switch}:${remote.port}`],
    ]),
    table(["rank", "subflow", "state", "out", "in", "RTT", "path"], connection.subflows.map((one, index) =>
      row(swatch(one.rank), `${one.local.address}:${one.local.port} ↔ ${one.remote.address}:${one.remote.port}`, one.state + (one.backup ? ", backup" : "") + (one.hashed ? ", hashed" : ""),
        rate(one.outRate), rate(one.inRate), milliseconds(connection.round_trips_ms[index]), element("span", { class: "path", title: one.links.join(" ") }, one.switches.join(" › "))))),
    element("p", { class: "note" }, `${bytes(connection.subflows.reduce((sum, one) => sum + one.bytes_sent + one.bytes_received, 0))} carried. RTT is that of probes along the path.`),
    connection.left_out > 0 && element("p", { class: "note" }, `${count(connection.left_out, "subflow")} left out.`),
  ];
}

/** The connections that touch what is chosen. */
function connectionsOf(page) {
  if (!page.related) return undefined;
  const { total, connections } = page.related;
  const known = connections.filter((one) => one.id !== null);
  const name = (one) => (one.subflows[0] ? `${one.subflows[0].local.address} ↔ ${one.subflows[0].remote.address}` : "no subflow");
  return [
    element("h3", {}, `${count(total, "connection")} of ${page.here()}`),
    element("ul", { class: "plain" }, known.slice(0, 25).map((one) => element("li", {}, link(page, "connection", one.tokens.local, name(one)), element("code", {}, one.tokens.local), element("span", { class: "rate" }, count(one.subflows.length, "subflow"))))),
  ].flat();
}

function aboutWhatIf(page) {
  const answer = page.whatIf;
  const name = answer.failed.join(" and ");
  const pairs = `${count(answer.pairs, "pair")} of edges${answer.only ? ` from ${answer.only}` : ""}`;
  const said = [
    answer.concerned === 0 ? `No pair would lose a path.` : `${count(answer.concerned, "pair")} would lose ranks,`,
    answer.concerned > 0 && (answer.cut_off ? `${answer.cut_off} would have no path at all.` : `and all would keep a path.`),
    answer.broken > 0 && `Of ${count(answer.broken, "broken path")}, each direction by itself, ${answer.repaired} have another rank or a detour at once.`,
  ];
  return [
    title("What if", name),
    element("p", { class: "verdict", "data-cut-off": answer.cut_off }, said.filter(Boolean).join(" ")),
    element("p", { class: "note" }, [
      `${pairs} looked at${answer.complete ? "" : ", then time was up"}; ${answer.untouched} keep all their paths.`,
      answer.already.length > 0 && ` ${count(answer.already.length, "link")} down or drained already: this would come on top.`,
      answer.cut_off_already > 0 && ` ${count(answer.cut_off_already, "pair")} cut off already.`,
    ].filter(Boolean).join("")),
    element("p", { class: "actions" }, button("close", "Close", () => page.endWhatIf())),
    answer.effects.length > 0 && element("h3", {}, "Pairs that lose ranks"),
    element("ul", { class: "plain" }, answer.effects.map((effect, index) => {
      const lost = `${effect.cut_off ? "cut off" : `loses rank ${effect.lost.join(", ")}`}`;
      const attributes = { type: "button", class: "link", "data-key": `effect ${index}`, "aria-pressed": page.effect === index, click: () => page.showEffect(index) };
      return element("li", {}, element("button", attributes, `${effect.from} ↔ ${effect.to}`), element("span", { class: "rate" }, lost));
    })),
  ];
}

const ABOUT = { link: aboutLink, switch: aboutSwitch, host: aboutHost, pair: aboutPair, connection: aboutConnection };

/** What the section of details holds now; `undefined`: nothing. */
export function details(page) {
  if (page.whatIf) return aboutWhatIf(page).flat().filter(Boolean);
  const { kind, name } = page.selection ?? {};
  if (!kind) return undefined;
  const all = ABOUT[kind](page, name) ?? [title(kind, name), element("p", { class: "note" }, "It is not there any more.")];
  return all.flat().filter(Boolean);
}
