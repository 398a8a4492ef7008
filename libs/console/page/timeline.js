import { element, say } from './rows.js';
import { count, eventLooks, reasonAfter, timeOfDay } from './words.js';

const MOST = 200;

/** What happened, the latest first. Screen readers are told politely of what comes, and of nothing that was there before. */
export class Timeline {
  #list = document.getElementById('events');
  #summary = document.getElementById('timeline-summary');
  #none = document.getElementById('events-none');
  #all = 0;

  /** @param {{ whole: boolean, entries: object[] }} news `whole` where it is all that there is */
  show({ whole, entries }) {
    if (whole) {
      this.#list.setAttribute('aria-live', 'off');
      this.#list.replaceChildren();
      this.#all = 0;
    }
    const items = entries.map((entry) => itemOf(entry, !whole));
    this.#list.prepend(...items.toReversed());
    while (this.#list.childElementCount > MOST) this.#list.lastElementChild.remove();
    this.#list.setAttribute('aria-live', 'polite');
    this.#all += entries.length;
    this.#none.hidden = this.#all > 0;
    say(this.#summary, this.#all > MOST ? `the latest ${MOST} of ${count(this.#all)}` : '');
  }
}

function itemOf({ at, kind, subject, what, why }, isNew) {
  const [glyph, tone] = eventLooks[kind] ?? ['·', 'quiet'];
  const time = element('time', { datetime: new Date(at).toISOString() }, timeOfDay(at));
  const sign = element('span', { class: 'glyph', 'aria-hidden': 'true', 'data-tone': tone }, glyph);
  const text = element('span', {}, element('b', {}, subject), ` ${what}`);
  if (why) text.append(element('span', { class: 'why' }, `: ${reasonAfter(subject, why)}`));
  return element('li', isNew ? { class: 'new' } : {}, time, sign, text);
}
