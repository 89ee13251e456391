// Numbers and times as people read them, and elements made of text: nothing that an agent says becomes markup.

const SCALES = ["", "k", "M", "G", "T"];

/** Bits a second, such as "94.3 Mbit/s". */
export function rate(bits) {
  if (bits === undefined || bits === null || Number.isNaN(bits)) return "–";
  let scale = 0;
  while (bits >= 1000 && scale < SCALES.length - 1) {
    bits /= 1000;
    scale += 1;
  }
  const digits = scale === 0 || bits >= 100 ? 0 : 1;
  return `${bits.toFixed(digits)} ${SCALES[scale]}bit/s`;
}

/** Bytes, such as "1.2 MB". */
export function bytes(count) {
  return rate(count).replace("bit/s", "B");
}

/** Milliseconds, such as "0.42 ms". */
export function milliseconds(time) {
  return time === undefined || time === null ? "–" : `${time.toFixed(time < 10 ? 2 : 0)} ms`;
}

/** A share, such as "42 %". */
export function percent(share) {
  return share === undefined ? "" : `${Math.round(share * 100)} %`;
}

/** A number and what it counts: "1 link", "2 links", "3 addresses". */
export function count(number, noun) {
  const plural = noun.endsWith("s") ? `${noun}es` : `${noun}s`;
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

/** Local time of day of microseconds since 1970. */
export function clock(microseconds) {
  return new Date(microseconds / 1000).toLocaleTimeString("en-GB");
}

/** An element with attributes, listeners (functions) and children (elements or text; what is missing is left out). */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

/** Makes an element look like another one and stay the same element, so that clicks and the focus are not lost. Elements with other
 * keys (`data-key`) are replaced, because they do something else. */
export function morph(old, made) {
  if (old.nodeName !== made.nodeName || old.dataset?.key !== made.dataset?.key) return old.replaceWith(made);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== made.data) old.data = made.data;
    return;
  }
  if (old === document.activeElement && old.nodeName === "SELECT") return;
  // The policy of the page allows no style attribute, but styles.
  if (old.style.cssText !== made.style.cssText) old.style.cssText = made.style.cssText;
  for (const name of new Set([...old.getAttributeNames(), ...made.getAttributeNames()])) {
    const value = made.getAttribute(name);
    if (name === "style" || old.getAttribute(name) === value) continue;
    if (value === null) old.removeAttribute(name);
    else old.setAttribute(name, value);
  }
  morphChildren(old, [...made.childNodes]);
}

/** The same for all that is in an element. */
export function morphChildren(old, made) {
  made.forEach((child, index) => {
    const there = old.childNodes[index];
    if (there) morph(there, child);
    else old.append(child);
  });
  while (old.childNodes.length > made.length) old.lastChild.remove();
}
