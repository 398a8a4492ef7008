/** How figures, times and states are written on the page: one place, so that they are written alike. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Where there is nothing to say. */
export const NOTHING = '–';

/** @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** @param {number} perSecond */
export function rate(perSecond) {
  return perSecond === 0 || perSecond >= 100 ? whole.format(perSecond) : tenth.format(perSecond);
}

/** @param {number} share 0 to 1; what is not quite all or nothing never looks like it */
export function percent(share) {
  if (share === 0 || share === 1) return `${100 * share} %`;
  if (share < 0.0005) return '<0.1 %';
  if (share > 0.9995) return '>99.9 %';
  return share < 0.1 || share > 0.9 ? `${tenth.format(100 * share)} %` : `${whole.format(100 * share)} %`;
}

/** @param {number | null} ms */
export function duration(ms) {
  if (ms === null) return NOTHING;
  if (ms < 9.95) return `${tenth.format(ms)} ms`;
  if (ms < 999.5) return `${whole.format(ms)} ms`;
  return ms < 99_950 ? `${tenth.format(ms / 1_000)} s` : age(ms);
}

/** A span of time as people say it. @param {number} ms */
export function age(ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** The time of day here, to the second. @param {number} at milliseconds since the epoch */
export function timeOfDay(at) {
  return new Date(at).toLocaleTimeString('en-GB');
}

/** @param {number} number @param {string} one @param {string} [many] */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A reason without the name that it begins with, where that was said already. @param {string} name @param {string} why */
export function reasonAfter(name, why) {
  return why.startsWith(`${name}: `) ? why.slice(name.length + 2) : why;
}

/** How states look: a word, a sign that differs in shape, a tone, and the rank by which trouble comes first. */
export const instanceStates = {
  failing: { word: 'no connection', glyph: '▲', tone: 'bad', rank: 0 },
  ejected: { word: 'ejected', glyph: '✕', tone: 'bad', rank: 1 },
  probing: { word: 'probed', glyph: '◌', tone: 'warn', rank: 2 },
  connecting: { word: 'connecting', glyph: '◌', tone: 'warn', rank: 3 },
  idle: { word: 'idle', glyph: '○', tone: 'quiet', rank: 4 },
  closed: { word: 'closed', glyph: '○', tone: 'quiet', rank: 5 },
  drained: { word: 'drained', glyph: '⊘', tone: 'busy', rank: 6 },
  warming: { word: 'warming up', glyph: '◐', tone: 'busy', rank: 7 },
  ready: { word: 'ready', glyph: '●', tone: 'good', rank: 8 },
};

export const breakerStates = {
  open: { word: 'open', glyph: '✕', tone: 'bad', rank: 0 },
  halfOpen: { word: 'half-open', glyph: '◐', tone: 'warn', rank: 1 },
  forcedOpen: { word: 'held open', glyph: '✕', tone: 'bad', rank: 0 },
  forcedClosed: { word: 'held closed', glyph: '●', tone: 'warn', rank: 2 },
  closed: { word: 'closed', glyph: '●', tone: 'good', rank: 3 },
  none: { word: 'none', glyph: '–', tone: 'quiet', rank: 3 },
};

/** @param {{ breaker?: string, forced?: 'open' | 'closed' }} method */
export function breakerStateOf({ breaker = 'none', forced }) {
  if (forced) return breakerStates[forced === 'open' ? 'forcedOpen' : 'forcedClosed'];
  return breakerStates[breaker];
}

/** How each kind of event looks. */
export const eventLooks = {
  joined: ['+', 'good'],
  left: ['−', 'quiet'],
  connected: ['●', 'good'],
  lost: ['▲', 'bad'],
  ejected: ['✕', 'bad'],
  readmitted: ['●', 'good'],
  held: ['◌', 'warn'],
  opened: ['✕', 'bad'],
  halfOpen: ['◐', 'warn'],
  closed: ['●', 'good'],
  applied: ['✎', 'busy'],
  refused: ['✕', 'warn'],
  unreachable: ['▲', 'bad'],
  reachable: ['●', 'good'],
  serving: ['●', 'good'],
  draining: ['◐', 'warn'],
  ordered: ['☞', 'busy'],
};

/** States of an instance that is there and gets no calls, for all that it would. */
const OUT = new Set(['failing', 'ejected', 'probing']);

/**
 * How it stands, in one sentence: what is worst first.
 * @param {object} state a snapshot
 */
export function verdictOf({ phase, services, methods, registry, settings }) {
  const troubles = [];
  const cautions = [];
  if (phase !== 'ready') cautions.push(`The process is ${phase}`);
  for (const { name, count: all, instances, panic } of services) {
    const out = instances.filter(({ state }) => OUT.has(state)).length;
    const taking = instances.filter(({ state }) => ['ready', 'warming'].includes(state)).length;
    if (all === 0) troubles.push(`${name} has no instances`);
    else if (panic) troubles.push(`Most instances of ${name} fail, so all are tried`);
    else if (taking === 0 && out > 0) troubles.push(`No instance of ${name} takes calls`);
    else if (out > 0) troubles.push(`${out} of ${plural(all, 'instance')} of ${name} ${out === 1 ? 'is' : 'are'} out`);
  }
  const open = methods.filter((method) => breakerStateOf(method).tone === 'bad');
  if (open.length > 0)
    troubles.push(`${open.map(({ name }) => name).join(', ')} ${open.length === 1 ? 'is' : 'are'} open`);
  if (registry.status === 'down') cautions.push('The registry does not answer');
  if (settings.degraded) cautions.push('Some settings are not in use');
  const all = [...troubles, ...cautions];
  if (all.length === 0) return { tone: 'good', text: 'All is well.' };
  const tone = troubles.length > 0 ? 'bad' : 'warn';
  return { tone, text: `${all.slice(0, 3).join('. ')}${all.length > 3 ? `, and ${all.length - 3} more` : ''}.` };
}
