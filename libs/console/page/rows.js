/** Elements that stay while what they show changes: focus, selection and screen readers lose nothing by an update. */

/**
 * @param {string} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Says `text` in `node`, if it does not say it already. @param {Element} node @param {string} text */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {Element} node @param {string} name @param {string | undefined} value */
export function mark(node, name, value) {
  if (value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** A state as a sign and a word. @param {Element} node a cell with the two in it */
export function sayState(node, { glyph, word, tone }) {
  mark(node, 'data-tone', tone);
  say(node.firstElementChild, glyph);
  say(node.lastElementChild, word);
}

/** An empty cell for {@link sayState}. @param {string} tag */
export function stateCell(tag = 'td') {
  const glyph = element('span', { class: 'glyph', 'aria-hidden': 'true' });
  return element(tag, { class: 'state', role: 'cell' }, glyph, element('span'));
}

/** An empty cell for a figure, which says what it is where the page is too narrow for headings. @param {string} label */
export function figureCell(label, kind = 'n') {
  return element('td', { role: 'cell', class: kind, 'data-label': label });
}

/** The children of `parent`, one for each item, in the items' order. */
export class Rows {
  #parent;
  #make;
  #shown = new Map();

  /**
   * @param {Element} parent
   * @param {(item: any) => { element: Element, update: (item: any, state: any) => void }} make
   */
  constructor(parent, make) {
    this.#parent = parent;
    this.#make = make;
  }

  /** @param {any[]} items @param {(item: any) => string} keyOf @param {any} [state] */
  show(items, keyOf, state) {
    const focused = document.activeElement;
    const wanted = new Set(items.map(keyOf));
    for (const [key, row] of this.#shown) {
      if (wanted.has(key)) continue;
      row.element.remove();
      this.#shown.delete(key);
    }
    let place = this.#parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      let row = this.#shown.get(key);
      if (!row) this.#shown.set(key, (row = this.#make(item)));
      row.update(item, state);
      if (row.element === place) place = place.nextElementSibling;
      else this.#parent.insertBefore(row.element, place);
    }
    // An element that is moved loses the focus that it had.
    if (focused !== document.activeElement && focused?.isConnected) focused.focus();
  }
}
