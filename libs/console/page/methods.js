import { element, figureCell, mark, Rows, say, sayState, stateCell } from './rows.js';
import { sparkline } from './sparkline.js';
import { breakerStateOf, count, duration, NOTHING, percent, plural, rate } from './words.js';

const byId = (id) => document.getElementById(id);
/** How calls ended other than well, and how that is said. */
const ENDINGS = [
  ['error', 'errors'],
  ['timeout', 'too late'],
  ['fallback', 'by the fallback'],
  ['open', 'refused open'],
  ['full', 'refused full'],
  ['limited', 'refused by the rate'],
  ['cancelled', 'cancelled'],
];
const CHOICES = [
  ['auto', 'by its breaker'],
  ['open', 'hold open'],
  ['closed', 'hold closed'],
];

/** Every name that has policies: what its breaker says, how its calls go, and what is left of its budgets. */
export class Methods {
  #rows;

  /** @param {import('./operator.js').Operator} operator */
  constructor(operator) {
    this.#rows = new Rows(byId('methods-rows'), ({ name }) => methodRow(name, operator));
  }

  show({ methods, methodCount }) {
    const sorted = [...methods].sort(
      (a, b) => breakerStateOf(a).rank - breakerStateOf(b).rank || (a.name < b.name ? -1 : 1),
    );
    const table = byId('methods').querySelector('table');
    table.hidden = methods.length === 0;
    byId('methods-none').hidden = methods.length > 0;
    const all = methods.reduce((sum, method) => sum + method.rate, 0);
    const more = methodCount > methods.length ? ` of ${count(methodCount)}` : '';
    say(byId('methods-summary'), `${plural(methods.length, 'method')}${more}, ${rate(all)} calls a second`);
    this.#rows.show(sorted, ({ name }) => name);
  }
}

function methodRow(name, operator) {
  const state = stateCell();
  const endings = element('span', { class: 'small' });
  const title = element('th', { role: 'rowheader', scope: 'row' }, element('span', {}, name), endings);
  const [calls, failed, p50, p99] = [figureCell('calls/s'), figureCell('failed'), figureCell('p50'), figureCell('p99')];
  const [permits, budget] = [figureCell('permits'), figureCell('retries left')];
  const spark = sparkline();
  const minute = element('td', { role: 'cell', class: 'wide' }, spark.element);
  const choice = element('select', { 'aria-label': `Breaker of ${name}` });
  choice.append(...CHOICES.map(([value, words]) => element('option', { value }, words)));
  choice.addEventListener('change', () => {
    const done = choice.value === 'auto' ? `${name} is left to its breaker.` : `${name} is held ${choice.value}.`;
    void operator.act('force', { method: name, state: choice.value }, done);
  });
  const act = element('td', { role: 'cell', class: 'act' }, choice);
  const row = element('tr', { role: 'row' }, state, title, calls, failed, p50, p99, minute, permits, budget, act);
  return {
    element: row,
    update(method) {
      const look = breakerStateOf(method);
      sayState(state, look);
      mark(row, 'data-tone', look.tone === 'bad' ? 'bad' : undefined);
      say(calls, rate(method.rate));
      say(failed, method.rate === 0 ? NOTHING : percent(method.errorRate));
      say(p50, duration(method.p50));
      say(p99, duration(method.p99));
      spark.update(method.trend);
      say(permits, permitsOf(method.bulkhead));
      say(budget, method.retryBudget === undefined ? NOTHING : count(Math.floor(method.retryBudget)));
      say(endings, endingsOf(method.calls));
      if (document.activeElement !== choice) choice.value = method.forced ?? 'auto';
    },
  };
}

function permitsOf(bulkhead) {
  if (!bulkhead) return NOTHING;
  const { inUse, limit, queued } = bulkhead;
  return `${count(inUse)} / ${count(limit)}${queued > 0 ? `, ${count(queued)} wait` : ''}`;
}

function endingsOf(calls) {
  const parts = ENDINGS.filter(([ending]) => calls[ending] > 0).map(
    ([ending, words]) => `${count(calls[ending])} ${words}`,
  );
  return `${count(calls.started)} calls${parts.length > 0 ? ': ' : ''}${parts.join(', ')}`;
}
