import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { assemblePage } from './page.js';

type Words = {
  duration(ms: number | null): string;
  percent(share: number): string;
  age(ms: number): string;
  rate(perSecond: number): string;
  reasonAfter(name: string, why: string): string;
  verdictOf(state: object): { tone: string; text: string };
  eventLooks: Record<string, unknown>;
  instanceStates: Record<string, { glyph: string; tone: string }>;
};
type Sparkline = {
  pathsOf(trend: object): { area: string; line: string; failed: string; top: number };
  sparkWords(trend: object): string;
};

/** The page's modules are plain JavaScript for browsers, and what needs no browser in them runs here. */
const moduleOf = async <T>(name: string) => (await import(new URL(`../page/${name}.js`, import.meta.url).href)) as T;

describe('the page', () => {
  const { html, contentSecurityPolicy } = assemblePage();
  const inside = (tag: string) => new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`).exec(html)![1]!;

  it('is one document that needs nothing else', () => {
    expect(html).not.toMatch(/<(?:script|img|iframe)[^>]* src=|<link[^>]*stylesheet|@import|url\(/);
    expect(inside('script')).not.toMatch(/^\s*(?:import|export) /m);
    expect(html.match(/<script/g)).toHaveLength(1);
  });

  it('runs nothing but its own script and style, which its policy names by their hashes', () => {
    for (const tag of ['script', 'style']) {
      const hash = createHash('sha256').update(inside(tag)).digest('base64');
      expect(contentSecurityPolicy).toContain(`${tag}-src 'sha256-${hash}'`);
    }
    expect(contentSecurityPolicy).toContain("default-src 'none'");
    expect(contentSecurityPolicy).not.toContain('unsafe');
  });

  it('writes no text as markup', () => {
    expect(inside('script')).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write/);
  });
});

const fleet = (...states: string[]) => [
  { name: 'users', count: states.length, instances: states.map((state) => ({ state })) },
];

describe('its words', async () => {
  const words = await moduleOf<Words>('words');

  it.each([
    [null, '–'],
    [0.04, '0.0 ms'],
    [3.44, '3.4 ms'],
    [9.96, '10 ms'],
    [420.2, '420 ms'],
    [1_234, '1.2 s'],
    [150_000, '3 min'],
  ])('duration %s', (ms, text) => expect(words.duration(ms)).toBe(text));

  it.each([
    [0, '0 %'],
    [1, '100 %'],
    [0.0001, '<0.1 %'],
    [0.9999, '>99.9 %'],
    [0.031, '3.1 %'],
    [0.5, '50 %'],
  ])('share %d: what is not all or nothing does not look like it', (share, text) =>
    expect(words.percent(share)).toBe(text),
  );

  it('has a look for every kind of event, and a shape of its own for each tone of state', async () => {
    const kinds = ['joined', 'left', 'connected', 'lost', 'ejected', 'readmitted', 'held', 'opened', 'halfOpen', 'closed', 'applied', 'refused', 'unreachable', 'reachable', 'serving', 'draining', 'ordered']; // prettier-ignore
    expect(Object.keys(words.eventLooks).sort()).toEqual(kinds.toSorted());
    const tones = new Map(Object.values(words.instanceStates).map(({ glyph, tone }) => [glyph, tone]));
    for (const { glyph, tone } of Object.values(words.instanceStates)) expect(tones.get(glyph)).toBe(tone);
  });

  it('says how it stands, the worst first', () => {
    const well = {
      phase: 'ready',
      services: [],
      methods: [],
      registry: { status: 'up' },
      settings: { degraded: false },
    };
    expect(words.verdictOf(well)).toEqual({ tone: 'good', text: 'All is well.' });
    const verdict = (state: object) => words.verdictOf({ ...well, ...state });
    expect(verdict({ services: fleet('ready', 'probing') }).text).toBe('1 of 2 instances of users is out.');
    expect(verdict({ services: fleet('failing') }).text).toBe('No instance of users takes calls.');
    const panic = fleet('ejected', 'ejected').map((service) => ({ ...service, panic: true }));
    expect(verdict({ services: panic }).text).toBe('Most instances of users fail, so all are tried.');
    expect(verdict({ services: fleet() }).text).toBe('users has no instances.');
    expect(verdict({ services: fleet('ready', 'drained') }).tone).toBe('good');
    expect(verdict({ registry: { status: 'down' } })).toEqual({ tone: 'warn', text: 'The registry does not answer.' });
    const methods = [
      { name: 'a', breaker: 'open' },
      { name: 'b', breaker: 'closed', forced: 'open' },
    ];
    expect(verdict({ methods, phase: 'draining' })).toEqual({
      tone: 'bad',
      text: 'a, b are open. The process is draining.',
    });
  });
});

describe('its sparkline', async () => {
  const { pathsOf, sparkWords } = await moduleOf<Sparkline>('sparkline');

  it('leaves a gap where there were no calls, and stays within its frame', () => {
    const trend = { calls: [4, 0, 2, 2], failed: [0, 0, 1, 2], p50: [2, null, 3, 4], p99: [9, null, 16, 4] };
    const { area, line, failed, top } = pathsOf(trend);
    expect(top).toBe(16);
    for (const path of [area, line]) expect(path.match(/M/g)).toHaveLength(2);
    expect(failed.match(/M/g)).toHaveLength(2);
    expect(area + line + failed).not.toContain('NaN');
    for (const [, x, y] of line.matchAll(/[ML]([\d.-]+) ([\d.-]+)/g)) {
      expect(Number(x)).toBeGreaterThanOrEqual(0);
      expect(Number(x)).toBeLessThanOrEqual(120);
      expect(Number(y)).toBeGreaterThanOrEqual(0);
      expect(Number(y)).toBeLessThanOrEqual(23);
    }
    expect(sparkWords(trend)).toBe('last minute: 8 calls, 3 failed, p50 2.0 ms to 4.0 ms, p99 4.0 ms to 16 ms');
  });

  it('says that there were none', () => {
    expect(sparkWords({ calls: [0], failed: [0], p50: [null], p99: [null] })).toBe('no calls in the last minute');
  });
});
