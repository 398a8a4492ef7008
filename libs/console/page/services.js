import { sureButton } from './operator.js';
import { element, figureCell, mark, Rows, say, sayState, stateCell } from './rows.js';
import { age, count, duration, instanceStates, NOTHING, percent, plural } from './words.js';

/** From so many instances on, a strip shows all of them at a glance. */
export const LARGE_FLEET = 12;
const COLUMNS = [
  ['State', 'fit'],
  ['Instance', 'name'],
  ['Zone', 'fit'],
  ['In flight', 'n'],
  ['Latency', 'n'],
  ['Success', 'n'],
  ['Share of calls', 'share'],
  ['For', 'fit'],
  ['By hand', 'act'],
];

/** Every service that the process calls: a strip of all its instances, and a table that says how each stands. */
export class Services {
  #rows;

  /** @param {Element} parent @param {import('./operator.js').Operator} operator */
  constructor(parent, operator) {
    this.#rows = new Rows(parent, ({ name }) => serviceSection(name, operator));
    this.#none = element('p', { class: 'none' }, 'This process calls no other service.');
    this.#parent = parent;
  }

  #none;
  #parent;

  show(state) {
    if (state.services.length === 0) this.#parent.replaceChildren(this.#none);
    else {
      this.#none.remove();
      this.#rows.show(state.services, ({ name }) => name, state);
    }
  }
}

function serviceSection(name, operator) {
  const id = `service-${name}`;
  const summary = element('p', { class: 'quiet' });
  const strip = element('div', { class: 'strip', 'aria-hidden': 'true' });
  const notice = element('p', { class: 'notice' });
  const head = COLUMNS.map(([label, kind]) =>
    element('th', { role: 'columnheader', scope: 'col', class: kind }, label),
  );
  const body = element('tbody', { role: 'rowgroup' });
  const thead = element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...head));
  const table = element('table', { role: 'table', 'aria-labelledby': id }, thead, body);
  const title = element('div', { class: 'title' }, element('h2', { id }, name), summary);
  const made = element('div', {}, title, strip, notice, table);
  const cells = new Rows(strip, () => {
    const cell = element('span');
    return { element: cell, update: ({ state }) => mark(cell, 'data-tone', instanceStates[state].tone) };
  });
  const rows = new Rows(body, () => instanceRow(name, operator));
  return {
    element: made,
    update(service, { at }) {
      const { instances } = service;
      const sorted = [...instances].sort(
        (a, b) => instanceStates[a.state].rank - instanceStates[b.state].rank || (a.id < b.id ? -1 : 1),
      );
      say(summary, summaryOf(service));
      const note = noticeOf(service);
      notice.hidden = note === '';
      say(notice, note);
      strip.hidden = instances.length < LARGE_FLEET;
      table.hidden = instances.length === 0;
      cells.show(sorted, ({ address }) => address);
      const most = Math.max(...instances.map(({ share }) => share), 0);
      rows.show(sorted, ({ address }) => address, { at, most, held: new Set(service.held) });
    },
  };
}

function summaryOf({ count: all, instances }) {
  const words = new Map();
  for (const { state } of instances) words.set(state, (words.get(state) ?? 0) + 1);
  const parts = [...words].sort(([a], [b]) => instanceStates[a].rank - instanceStates[b].rank);
  const inFlight = instances.reduce((sum, instance) => sum + instance.inFlight, 0);
  const states = parts.map(([state, number]) => `${count(number)} ${instanceStates[state].word}`);
  const shown = instances.length < all ? `, of which ${count(instances.length)} are shown` : '';
  return `${plural(all, 'instance')}${shown}: ${[...states, `${count(inFlight)} in flight`].join(', ')}`;
}

function noticeOf({ name, panic, origin, held, instances }) {
  if (instances.length === 0) return `No instance of ${name} is known.`;
  if (panic) return 'Most instances would be ejected, so none is: calls go to all of them.';
  if (held.length > 0) return `${plural(held.length, 'instance')} kept against the registry’s word, since they answer.`;
  if (origin === 'snapshot') return 'The registry has not answered yet: these are from the snapshot on disk.';
  return '';
}

function instanceRow(service, operator) {
  const state = stateCell();
  const link = element('a', { rel: 'noreferrer' });
  const plain = element('span');
  const address = element('span', { class: 'small' });
  const why = element('span', { class: 'why' });
  const [zone, inFlight, latency, success] = [
    figureCell('zone', 'fit'),
    figureCell('in flight'),
    figureCell('latency'),
    figureCell('success'),
  ];
  const bar = element('span', { class: 'bar', 'aria-hidden': 'true' });
  const figure = element('span', { class: 'figure' });
  const share = element('td', { role: 'cell', class: 'share' }, bar, figure);
  const since = figureCell('for', 'fit');
  let now;
  const drain = sureButton(() => {
    const drained = now.state !== 'drained';
    const done = drained ? `${now.id} gets no more calls from this process.` : `${now.id} gets calls again.`;
    void operator.act('drain', { service, address: now.address, drained }, done);
  });
  const act = element('td', { role: 'cell', class: 'act' }, drain.button);
  const instance = element('th', { role: 'rowheader', scope: 'row', class: 'name' }, link, plain, address, why);
  const row = element('tr', { role: 'row' }, state, instance, zone, inFlight, latency, success, share, since, act);
  return {
    element: row,
    update(item, { at, held, most }) {
      now = item;
      const look = instanceStates[item.state];
      mark(row, 'data-tone', look.tone === 'bad' ? 'bad' : undefined);
      sayState(state, look);
      mark(link, 'href', item.page);
      link.hidden = item.page === undefined;
      plain.hidden = item.page !== undefined;
      say(link, item.id);
      say(plain, item.id);
      say(address, [item.address, item.version].filter(Boolean).join(', '));
      say(zone, item.zone ?? '');
      say(inFlight, count(item.inFlight));
      say(latency, duration(item.ewmaMs));
      say(success, item.picks === 0 ? NOTHING : percent(item.successRate));
      bar.style.setProperty('--part', String(most === 0 ? 0 : item.share / most));
      say(figure, percent(item.share));
      say(since, item.since === null ? NOTHING : age(at - item.since));
      say(why, whyOf(item, held));
      why.hidden = why.textContent === '';
      drain.label(item.state === 'drained' ? 'Undrain' : 'Drain');
      mark(drain.button, 'aria-label', `${drain.button.textContent} ${item.id}`);
    },
  };
}

function whyOf({ why = '', id }, held) {
  return [why, held.has(id) ? 'kept against the registry’s word' : ''].filter(Boolean).join(', ');
}
