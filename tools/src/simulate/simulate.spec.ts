import { readFileSync } from 'node:fs';
import { StartupError } from '@holdfast/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { compare, missesOf, ours, type Comparison } from './comparison.js';
import { models } from './models.js';
import { parseOptions } from './options.js';
import { sharePlot } from './plot.js';
import { scenarios, type Scenario } from './scenario.js';
import { Server } from './server.js';
import { simulate, type Second } from './simulation.js';
import { asMarkdown, asText } from './table.js';
import { VirtualTime } from './virtual-time.js';

const named = (name: string): Scenario => scenarios.find((scenario) => scenario.name === name)!;
/** The share of the calls that the odd servers got in these seconds, as a part of all. */
const oddShare = (seconds: readonly Second[], from: number, to: number) => {
  const part = seconds.slice(from, to);
  return part.reduce((sum, { oddCalls }) => sum + oddCalls, 0) / part.reduce((sum, { calls }) => sum + calls, 0);
};

describe('the simulator', () => {
  it('has the same result for the same seed, and another for another', () => {
    const scenario = { ...named('failing-3'), seconds: 15 };
    const [one, again, other] = [1, 1, 2].map((seed) => simulate(scenario, ours, seed));
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
  });

  it('works on as many calls at a time as a server can, and lets the others wait', () => {
    const time = new VirtualTime();
    const server = new Server(0, undefined, 2, time);
    const ends: [number, string][] = [];
    for (const ms of [10, 30, 10]) server.take(ms, (ending) => ends.push([time.now(), ending]));
    const cancel = server.take(10, () => ends.push([0, 'never']));
    cancel();
    time.runUntil(1_000);
    expect(ends).toEqual([
      [10, 'ok'],
      [20, 'ok'],
      [30, 'ok'],
    ]);
  });

  it('runs events in the order of their times, then of their making', () => {
    const time = new VirtualTime();
    const seen: string[] = [];
    time.after(5, () => seen.push('c'));
    time.after(1, () => seen.push('a'));
    time.after(5, () => seen.push('d'));
    time.after(2, () => time.after(1, () => seen.push('b')));
    time.after(3, () => seen.push('taken back')).cancel();
    time.runUntil(4);
    expect(seen).toEqual(['a', 'b']);
    time.runUntil(10);
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
  });

  it.each(models.map(({ name, make }) => [name, make] as const))(
    'models %s: every server gets calls, none is lost',
    (name, make) => {
      const result = simulate({ ...named('healthy'), seconds: 12 }, { name, make }, 1);
      expect(result.failures).toBe(0);
      expect(result.calls).toBeGreaterThan(10_000);
      expect(result.p50Ms).toBeGreaterThan(10);
      expect(result.p99Ms).toBeLessThan(150);
    },
  );
});

describe('our balancer in every scenario', () => {
  let comparisons: readonly Comparison[];
  beforeAll(() => {
    comparisons = scenarios.map((scenario) => compare(scenario, 1));
  }, 120_000);

  it('is at or within 5 % of the best in p99 and failures', () => {
    expect(comparisons.flatMap(missesOf)).toEqual([]);
    expect(asText(comparisons)).toContain('Ours is at or within 5 % of the best');
  });

  it('is what docs/balancing.md shows', () => {
    const page = readFileSync(new URL('../../../docs/balancing.md', import.meta.url), 'utf8');
    expect(page, 'Run `npm run simulate -- --write`.').toContain(asMarkdown(comparisons));
  });

  it('says where it is not', () => {
    const [{ scenario, results }] = comparisons as [Comparison];
    const worse = results.map((result, index) => (index === 0 ? { ...result, p99Ms: 500, failures: 0.01 } : result));
    expect(missesOf({ scenario, results: worse }).map(({ column }) => column)).toEqual(['p99', 'failures']);
    expect(asMarkdown([{ scenario, results: worse }])).toMatch(/more than 5 % worse.*healthy, p99: 500 against/);
  });

  it.each(['failing-2', 'failing-3', 'failing-10'])('promise 3, %s: at most 2 % of the calls after 1 s', (name) => {
    for (const seed of [1, 2, 3]) {
      const { seconds } = simulate(named(name), ours, seed);
      expect(oddShare(seconds, 11, 40)).toBeLessThanOrEqual(0.02);
    }
  });

  it('promise 3, and it comes back once it is well', () => {
    const scenario = { ...named('failing-2'), seconds: 90 };
    const { seconds } = simulate(scenario, ours, 1);
    expect(oddShare(seconds, 80, 90)).toBeGreaterThan(0.35);
  });

  it('promise 4: a slow one gets at most a quarter of its share after 2 s, p99 at most doubles, and it is back within 30 s', () => {
    for (const instances of [3, 10]) {
      const scenario = { ...named('slow'), instances, load: 0.35, seconds: 80 };
      const healthy = simulate({ ...scenario, oddly: () => ({}) }, ours, 1);
      const slow = simulate(scenario, ours, 1);
      const fair = 1 / instances;
      expect(oddShare(slow.seconds, 12, 40)).toBeLessThanOrEqual(0.25 * fair);
      expect(slow.p99Ms).toBeLessThanOrEqual(2 * healthy.p99Ms);
      expect(oddShare(slow.seconds, 70, 80)).toBeGreaterThanOrEqual(0.8 * fair);
      expect(oddShare(slow.seconds, 70, 80)).toBeLessThanOrEqual(1.2 * fair);
    }
  });

  it('promise 2: a hung one gets nothing after twice the time that a call may take', () => {
    for (const instances of [2, 3, 10]) {
      const { seconds } = simulate({ ...named('hung'), instances, load: 0.3 }, ours, 1);
      expect(oddShare(seconds, 12, 40)).toBe(0);
    }
  });

  it('promise 5: where all fail, all are tried', () => {
    const scenario: Scenario = {
      ...named('failing-3'),
      oddly: () => ({}),
      all: () => ({ failing: true }),
      odd: () => false,
      seconds: 20,
    };
    const picks = Array.from({ length: 3 }, (_, odd) =>
      simulate({ ...scenario, odd: (index) => index === odd, oddly: () => ({ failing: true }) }, ours, 1),
    );
    for (const { seconds } of picks) expect(oddShare(seconds, 10, 20)).toBeGreaterThan(0.1);
  });

  it('promise 7: one that joins gets at most a tenth of its share for each second of its age, and all of it within 30 s', () => {
    for (const instances of [3, 10]) {
      const scenario = { ...named('cold-start'), instances, oddly: () => ({}), load: 0.3, seconds: 45 };
      const { seconds } = simulate(scenario, ours, 1);
      const fair = 1 / instances;
      for (let age = 0; age < 10; age++) {
        expect(oddShare(seconds, 10 + age, 11 + age)).toBeLessThanOrEqual(0.1 * (age + 1) * fair + 0.005);
      }
      expect(oddShare(seconds, 10, 11)).toBeGreaterThan(0);
      expect(oddShare(seconds, 40, 45)).toBeGreaterThan(0.8 * fair);
    }
  });

  it('is drawn as an image, ours on top', () => {
    const image = sharePlot(comparisons.find(({ scenario }) => scenario.name === 'slow')!);
    expect(image.match(/<polyline/g)).toHaveLength(7);
    expect(image.trimEnd().endsWith('</svg>')).toBe(true);
    expect(image).not.toContain('NaN');
  });
});

describe('the options', () => {
  it('are understood', () => {
    expect(parseOptions([])).toMatchObject({ seed: 1, instances: undefined, json: false, write: false });
    expect(parseOptions([]).scenarios).toHaveLength(scenarios.length);
    expect(parseOptions(['--seed', '7', '--scenario', 'slow', '--instances', '10', '--json'])).toMatchObject({
      seed: 7,
      scenarios: ['slow'],
      instances: 10,
      json: true,
    });
  });

  it.each([
    [['--seed', 'x'], '--seed must be a whole number'],
    [['--instances', '1'], '--instances must be a whole number from 2 to 10000'],
    [['--scenario', 'quick'], '--scenario must be one of healthy'],
    [['--fast'], 'There is no option "--fast"'],
    [['fast'], 'There is no option "fast"'],
  ])('%j are refused with a sentence', (args, sentence) => {
    expect(() => parseOptions(args)).toThrow(StartupError);
    expect(() => parseOptions(args)).toThrow(sentence);
  });
});
