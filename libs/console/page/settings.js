import { element, say, sayState, stateCell } from './rows.js';
import { age, plural, reasonAfter, timeOfDay } from './words.js';

const good = (word) => ({ glyph: '●', word, tone: 'good' });
const bad = (word) => ({ glyph: '▲', word, tone: 'warn' });

/** The registry, the stores of the settings, what of them is not in use, and the change that was refused last. */
export class Settings {
  #list;
  #rows = new Map();

  /** @param {Element} list a description list */
  constructor(list) {
    this.#list = list;
  }

  show({ at, registry, settings }) {
    const facts = [registryFact(registry, at), ...settings.stores.map((store) => storeFact(store, at))];
    if (settings.problems.length > 0) facts.push(problemFact(settings.problems));
    facts.push(refusedFact(settings.lastRefused));
    if (settings.unclaimed.length > 0) {
      const names = settings.unclaimed.join(', ');
      facts.push({ name: 'Misspelt?', look: bad('nobody asks for'), text: names });
    }
    for (const [name, row] of this.#rows) {
      if (facts.some((fact) => fact.name === name)) continue;
      for (const node of [row.term, row.description]) node.remove();
      this.#rows.delete(name);
    }
    for (const { name, look, text } of facts) {
      const row = this.#rows.get(name) ?? this.#add(name);
      sayState(row.state, look);
      say(row.text, text);
    }
  }

  #add(name) {
    const state = stateCell('span');
    state.removeAttribute('role');
    const text = element('span');
    const row = { term: element('dt', {}, name), description: element('dd', {}, state, text), state, text };
    this.#list.append(row.term, row.description);
    this.#rows.set(name, row);
    return row;
  }
}

function registryFact({ name, status, since, reason }, at) {
  const span = `for ${age(at - since)}`;
  if (status === 'down') return { name: 'Registry', look: bad('does not answer'), text: `${name}, ${span}: ${reason}` };
  const look = status === 'up' ? good('answers') : { glyph: '○', word: 'not asked yet', tone: 'quiet' };
  return { name: 'Registry', look, text: `${name}, ${span}` };
}

function storeFact({ name, contact, since, reason, origin, revision }, at) {
  const last = revision
    ? `revision ${revision.revision} by ${revision.by}, ${age(at - Date.parse(revision.at))} ago`
    : 'no revision yet';
  const from = origin === 'snapshot' ? ', as kept on this disk' : '';
  const fact = { name: `Settings in ${name}`, text: `${last}${from}` };
  if (contact === 'up') return { ...fact, look: good('in use') };
  return {
    ...fact,
    look: bad('does not answer'),
    text: `${fact.text}; for ${age(at - since)}: ${reason ?? 'not tried yet'}`,
  };
}

function problemFact(problems) {
  const [{ path, reason }] = problems;
  const name = path || 'the document';
  const more = problems.length > 1 ? `; ${plural(problems.length - 1, 'more', 'more')}` : '';
  return { name: 'Not in use', look: bad('refused'), text: `${name}: ${reasonAfter(name, reason)}${more}` };
}

function refusedFact(entry) {
  if (!entry) return { name: 'Last refused', look: good('nothing'), text: 'since the start' };
  const { subject, what, why, at } = entry;
  return {
    name: 'Last refused',
    look: { glyph: '✕', word: timeOfDay(at), tone: 'warn' },
    text: `${subject} ${what}: ${reasonAfter(subject, why)}`,
  };
}
