import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { seededRandom } from '@holdfast/core';
import { FakeClock, settle } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Config, type ConfigOptions } from './config.js';
import type { ConfigDriver } from './driver.js';
import { MemoryDriver } from './drivers/memory.js';
import { FileConfigSnapshots, type ConfigSnapshots } from './snapshots.js';

const greeting = z.strictObject({
  template: z.string().default('Hello'),
  size: z.number().int().min(1).max(9).default(3),
});
const limits = z
  .strictObject({ low: z.number().default(1), high: z.number().default(10) })
  .refine(({ low, high }) => low <= high, 'low must not be above high');

/** CPU time, which other processes of a busy machine do not stretch. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

class MemorySnapshots implements ConfigSnapshots {
  readonly saved = new Map<string, ReadonlyMap<string, string>>();
  load = async (layer: string) => this.saved.get(layer);
  save = async (layer: string, _service: string, texts: ReadonlyMap<string, string>) =>
    void this.saved.set(layer, texts);
}

describe('Config', { timeout: 30_000 }, () => {
  let clock: FakeClock;
  let file: MemoryDriver;
  let remote: MemoryDriver;
  let config: Config;
  let logged: string[];
  let others: Config[];

  const open = (drivers: readonly ConfigDriver[] = [file, remote], options: ConfigOptions = {}) => {
    const opened = new Config('users', drivers, { clock, random: seededRandom(7), ...options });
    others.push(opened);
    return opened;
  };
  /** Writes as an operator does, and lets the change arrive. */
  const set = async (store: MemoryDriver, changes: Readonly<Record<string, string | undefined>>) => {
    const { cursor } = store.store.read('users');
    expect(store.store.write('users', new Map(Object.entries(changes)), cursor)).toBe(true);
    await clock.advance(50);
  };
  const problems = () => config.status.value.problems.map(({ path, layer, reason }) => `${layer} ${path}: ${reason}`);

  beforeEach(() => {
    logged = [];
    Logger.overrideLogger(false);
    vi.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => void logged.push(String(message)));
    vi.spyOn(Logger.prototype, 'error').mockImplementation((message: unknown) => void logged.push(String(message)));
    clock = new FakeClock();
    others = [];
    file = new MemoryDriver('file', { clock });
    remote = new MemoryDriver('remote', { clock, remote: true });
    config = open();
  });

  afterEach(async () => {
    await Promise.all(others.map((opened) => opened.close()));
    await Promise.all([file.close(), remote.close()]);
    expect(clock.pending, 'timers left after close').toBe(0);
    vi.restoreAllMocks();
  });

  describe('precedence', () => {
    it('is built-in default, code, file, remote', async () => {
      const bare = config.live('bare', greeting);
      const coded = config.live('greeting', greeting, { template: 'Code', size: 2 });
      await config.start();
      expect(bare.value).toEqual({ template: 'Hello', size: 3 });
      expect(coded.value).toEqual({ template: 'Code', size: 2 });
      await set(file, { '': 'greeting: { template: File }' });
      expect(coded.value).toEqual({ template: 'File', size: 2 });
      await set(remote, { '': 'greeting: { template: Remote, size: 5 }' });
      expect(coded.value).toEqual({ template: 'Remote', size: 5 });
      await set(file, { '': 'greeting: { template: File, size: 8 }' });
      expect(coded.value).toEqual({ template: 'Remote', size: 5 });
    });

    it('lets a single entry win over the document of its store, not over a stronger store', async () => {
      const live = config.live('greeting', greeting);
      await config.start();
      await set(file, { '': 'greeting: { template: Document, size: 1 }', 'greeting.template': 'Single' });
      expect(live.value).toEqual({ template: 'Single', size: 1 });
      await set(remote, { '': 'greeting.template: Remote' });
      expect(live.value).toEqual({ template: 'Remote', size: 1 });
    });

    it('goes back to the code where null takes back what is below, and not where nothing is said', async () => {
      const live = config.live('greeting', greeting, { size: 2 });
      await config.start();
      await set(file, { '': 'greeting: { template: File, size: 4 }' });
      await set(remote, { 'greeting.size': 'null', '': '{}' });
      expect(live.value).toEqual({ template: 'File', size: 2 });
      await set(remote, { greeting: '~', 'greeting.size': '9' });
      expect(live.value).toEqual({ template: 'Hello', size: 9 });
      await set(remote, { greeting: '{}' });
      expect(live.value).toEqual({ template: 'File', size: 9 });
    });

    it('keeps an empty map as something that is said', async () => {
      const schema = z.strictObject({ breaker: z.strictObject({ after: z.number().default(5) }).optional() });
      const live = config.live('policy', schema);
      await config.start();
      await set(remote, { '': 'policy: { breaker: {} }' });
      expect(live.value).toEqual({ breaker: { after: 5 } });
      await set(remote, { '': 'policy: { breaker: null }' });
      expect(live.value).toEqual({});
      await set(file, { '': 'policy: { breaker: { after: 2 } }' });
      expect(live.value).toEqual({});
    });

    it('replaces lists, and reads a document that is JSON', async () => {
      const live = config.live('list', z.array(z.union([z.number(), z.object({ a: z.number() })])), [1, 2, 3]);
      await config.start();
      await set(remote, { '': '{"list": [4, {"a": 5}]}' });
      expect(live.value).toEqual([4, { a: 5 }]);
    });
  });

  describe('claims', () => {
    it('gives a place to the longest key', async () => {
      const outer = config.live('resilience.users', z.record(z.string(), z.unknown()), {});
      const inner = config.live('resilience.users.get', z.strictObject({ timeout: z.string().default('1s') }));
      await config.start();
      await set(remote, {
        '': 'resilience:\n  users.get: { timeout: 2s }\n  users: { other: 1, get.timeout: 3s }\n',
      });
      expect(problems()).toEqual(['memory "remote" : says resilience.users.get.timeout twice']);
      await set(remote, { '': 'resilience:\n  users.get: { timeout: 2s }\n  users: { other: 1 }\n' });
      expect(inner.value).toEqual({ timeout: '2s' });
      expect(outer.value).toEqual({ other: 1 });
      const late = config.live('resilience.users.other', z.number().default(0));
      expect(late.value).toBe(1);
      expect(outer.value).toEqual({});
    });

    it('are one cell for one key and schema, and refuse a second schema or a default that is none', () => {
      const live = config.live('greeting', greeting);
      expect(config.live('greeting', greeting)).toBe(live);
      expect(() => config.live('greeting', limits)).toThrow('"greeting" is asked for with two schemas or defaults');
      expect(() => config.live('greeting', greeting, { size: 2 })).toThrow('two schemas or defaults');
      expect(() => config.live('other', greeting, { size: 99 })).toThrow(
        'The config key "other" has no usable default (other.size: Too big: expected number to be <=9); write one in its schema',
      );
      for (const key of ['', '.', 'a..b', 'a.', '__proto__.x']) {
        expect(() => config.live(key, greeting)).toThrow('is none; write words with dots between them');
      }
    });

    it('have values of any kind of schema', async () => {
      const level = config.live('log.level', z.enum(['info', 'debug']).default('info'));
      const optional = config.live('maybe', z.number().optional());
      await config.start();
      expect([level.value, optional.value]).toEqual(['info', undefined]);
      await set(remote, { 'log.level': 'debug', maybe: '5' });
      expect([level.value, optional.value]).toEqual(['debug', 5]);
      await set(remote, { 'log.level': 'null', maybe: 'null' });
      expect([level.value, optional.value]).toEqual(['info', undefined]);
    });

    it('that come late get what is in use, or their default where that is bad', async () => {
      await config.start();
      await set(remote, { '': 'greeting: { size: 4 }\nlimits: { low: x }\nodd: 1\n' });
      config.settled();
      expect(config.status.value.unclaimed).toEqual(['greeting.size', 'limits.low', 'odd']);
      expect(config.status.value.degraded).toBe(false);
      expect(config.live('greeting', greeting).value.size).toBe(4);
      expect(config.live('limits', limits, { low: 2 }).value).toEqual({ low: 2, high: 10 });
      await settle();
      expect(problems()).toEqual(['memory "remote" : limits.low: expected number, received string']);
      expect(config.status.value).toMatchObject({ degraded: true, unclaimed: ['odd'] });
      expect(logged.filter((line) => line.includes('limits.low: expected'))).toHaveLength(1);
      await set(remote, { 'limits.low': '3' });
      expect(config.live('limits', limits, { low: 2 }).value).toEqual({ low: 3, high: 10 });
      expect(config.status.value.degraded).toBe(false);
    });

    it('that fail before all is settled take the whole entry from everybody', async () => {
      await set(remote, { '': 'greeting: { size: 4 }\nlimits: { low: x }\n', 'log.level': 'debug' });
      await config.start();
      const live = config.live('greeting', greeting);
      const seen: number[] = [];
      live.subscribe(({ size }) => seen.push(size));
      expect(live.value.size).toBe(4);
      const level = config.live('log.level', z.string().default('info'));
      const bad = config.live('limits', limits);
      expect([live.value.size, bad.value.low, level.value]).toEqual([3, 1, 'debug']);
      expect(seen).toEqual([3]);
      config.settled();
      expect(problems()).toEqual(['memory "remote" : limits.low: expected number, received string']);
      await set(remote, { '': 'greeting: { size: 4 }\nlimits: { low: 0 }\n' });
      expect([live.value.size, bad.value.low]).toEqual([4, 0]);
      expect(config.status.value.degraded).toBe(false);
    });
  });

  describe('a change', () => {
    it('is whole: no listener ever sees half of it, on its own cell or another', async () => {
      const a = config.live('a', z.number().default(0));
      const b = config.live('b.c', z.number().default(0));
      const seen: string[] = [];
      a.subscribe((value) => seen.push(`a ${value}: ${a.value} ${b.value}`));
      b.subscribe((value) => seen.push(`b ${value}: ${a.value} ${b.value}`));
      await config.start();
      await set(remote, { '': 'a: 1\nb: { c: 1 }' });
      await set(remote, { a: '2', 'b.c': '2' });
      expect(seen).toEqual(['a 1: 1 1', 'b 1: 1 1', 'a 2: 2 2', 'b 2: 2 2']);
    });

    it('is none where the value is deeply equal', async () => {
      const live = config.live('greeting', greeting);
      await config.start();
      await set(remote, { '': 'greeting: { template: Hi, size: 4 }' });
      const { value } = live;
      const told = vi.fn<() => void>();
      live.subscribe(told);
      await set(remote, { '': '# comment\ngreeting:\n  size: 4\n  template: "Hi"\n' });
      await set(remote, { 'greeting.size': '4' });
      expect(told).not.toHaveBeenCalled();
      expect(live.value).toBe(value);
    });

    it('reaches other listeners although one fails, leaves or makes a claim', async () => {
      const live = config.live('a', z.number().default(0));
      const seen: string[] = [];
      live.subscribe(() => {
        throw new Error('bug');
      });
      const leave = live.subscribe(() => {
        leave();
        config.live('b', z.number().default(0)).subscribe((value) => seen.push(`b ${value}`));
      });
      live.subscribe((value) => seen.push(`a ${value}`));
      await config.start();
      await set(remote, { '': 'a: 1\nb: 1' });
      await set(remote, { '': 'a: 2\nb: 2' });
      expect(seen).toEqual(['a 1', 'a 2', 'b 2']);
      expect(logged).toContain('a listener of a setting failed');
    });

    it('comes whole where entries depend on each other', async () => {
      const live = config.live('limits', limits);
      await config.start();
      await set(remote, { 'limits.low': '20', 'limits.high': '30' });
      expect(live.value).toEqual({ low: 20, high: 30 });
      await set(remote, { 'limits.low': '2', 'limits.high': '3', 'greeting.size': 'x' });
      expect(live.value).toEqual({ low: 2, high: 3 });
    });
  });

  describe('what cannot be used', () => {
    it.each([
      ['is no YAML', 'greeting: { size: 5', 'is not readable as YAML at line 1, column 20 (bad indent)'],
      ['is no map', '- 5', 'must be a map of keys to values'],
      ['is empty', ' \n', 'is empty; write {} where nothing is to be set'],
      ['is only comment', '# all gone', 'is empty; write {} where nothing is to be set'],
      ['has a wrong type', 'greeting: { size: "5" }', 'greeting.size: expected number, received string'],
      ['is out of range', 'greeting: { size: 12 }', 'greeting.size: Too big: expected number to be <=9'],
      ['has a key that is unknown', 'greeting: { sice: 5 }', 'greeting: Unrecognized key: "sice"'],
      ['is a value where a map belongs', 'greeting: hello', 'greeting: expected object, received string'],
      ['has an odd key', 'greeting..size: 5', 'has a key that is empty, or has an empty part between dots'],
      ['reaches for prototypes', '{ __proto__: { size: 5 } }', 'has the key __proto__, which no setting may have'],
      ['has a key twice', 'greeting: { size: 5 }\ngreeting.size: 6', 'says greeting.size twice'],
      [
        'has an unknown tag',
        'greeting: !env SECRET',
        'is not readable as YAML at line 1, column 11 (tag resolve failed)',
      ],
      ['is two documents', 'a: 1\n---\na: 2', 'is not readable as YAML at line 2, column 1 (multiple docs)'],
      ['is deep', 'a'.padEnd(99, '.a') + ': 1', 'is nested deeper than 32 keys'],
    ])('because it %s leaves what is in use, and is said once', async (_, text, reason) => {
      const live = config.live('greeting', greeting);
      await config.start();
      await set(remote, { '': 'greeting: { size: 4 }' });
      await set(remote, { '': text });
      expect(live.value.size).toBe(4);
      expect(problems()).toEqual([`memory "remote" : ${reason}`]);
      expect(config.status.value.degraded).toBe(true);
      await set(file, { '': 'other: 1' });
      await set(remote, { more: '1' });
      remote.store.breakOff();
      await clock.advance(10_000);
      remote.store.bringBack();
      await clock.advance(10_000);
      expect(logged.filter((line) => line.includes(reason))).toHaveLength(1);
      await set(remote, { '': 'greeting: { size: 6 }' });
      expect(live.value.size).toBe(6);
      expect(config.status.value).toMatchObject({ problems: [], degraded: false });
    });

    it('is bounded in size, values, aliases and brackets', async () => {
      await config.start();
      const reasons: unknown[] = [];
      const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
      for (let n = 1; n < 9; n++)
        bomb.push(
          `a${n}: &a${n} [${Array(10)
            .fill(`*a${n - 1 || ''}`)
            .join(', ')}]`,
        );
      const texts = [
        `a: ${'x'.repeat(1024 * 1024)}`,
        Array.from({ length: 20_001 }, (_, n) => `k${n}: 1`).join('\n'),
        bomb.join('\n'),
        '['.repeat(1_000_000),
        '- '.repeat(500_000),
        `a: ${'[a,'.repeat(200_000)}`,
        'a: &a [*a]',
      ];
      for (const text of texts) {
        const before = process.cpuUsage();
        await set(remote, { '': text });
        expect(cpuMsSince(before)).toBeLessThan(1_500);
        reasons.push(config.status.value.problems.map(({ reason }) => reason).join());
      }
      expect(reasons).toEqual([
        'is longer than 1 MiB',
        'has more than 20000 values',
        'has more than 100 aliases',
        'is nested too deep',
        'is nested too deep',
        'is nested too deep',
        'is nested deeper than 32 keys',
      ]);
    });

    it('never shows the text that was found', async () => {
      config.live('greeting', greeting);
      config.live(
        'token',
        z
          .string()
          .regex(/^[a-z]+$/)
          .default('x'),
      );
      config.live('list', z.array(z.enum(['a'])).default([]));
      config.live(
        'broken',
        z.any().transform((value: unknown) => {
          if (value !== undefined) throw new Error(`cannot take ${String(value)}`);
          return value;
        }),
      );
      await config.start();
      for (const text of [
        'token: hunter2',
        'list: [hunter2]',
        'broken: hunter2',
        'a: *hunter2',
        'a: "hunter2',
        '!hunter2 a',
        '@hunter2',
      ]) {
        await set(remote, { '': text, single: `{ ${text} }` });
      }
      expect(logged.length).toBeGreaterThan(6);
      expect(JSON.stringify([logged, config.status.value.problems])).not.toContain('hunter2');
    });

    it('does not stop the next good one: poison in one entry, then and there', async () => {
      const live = config.live('greeting', greeting);
      const level = config.live('log.level', z.string().default('info'));
      await config.start();
      await set(remote, { 'greeting.size': 'many', 'greeting.template': 'Hi', 'log.level': 'debug', 'limits.x': '[' });
      expect([live.value, level.value]).toEqual([{ template: 'Hi', size: 3 }, 'debug']);
      expect(problems()).toEqual([
        'memory "remote" limits.x: is not readable as YAML at line 1, column 2 (missing char)',
        'memory "remote" greeting.size: greeting.size: expected number, received string',
      ]);
      await set(remote, { 'log.level': 'warn', '': 'greeting.template: No' });
      expect(level.value).toBe('warn');
      await set(remote, { 'greeting.size': '5', 'limits.x': '1' });
      expect(live.value).toEqual({ template: 'Hi', size: 5 });
      expect(config.status.value.degraded).toBe(false);
    });

    it('finds the few that are bad among thousands in time', async () => {
      const live = config.live('crowd', z.record(z.string(), z.number()), {});
      await config.start();
      const entries = Array.from({ length: 3_000 }, (_, n) => [`crowd.k${n}`, n % 1_000 === 7 ? 'x' : '1'] as const);
      const before = process.cpuUsage();
      await set(remote, Object.fromEntries(entries));
      expect(cpuMsSince(before)).toBeLessThan(2_000);
      expect(Object.keys(live.value)).toHaveLength(2_997);
      expect(problems()).toHaveLength(3);
    });

    it('includes an entry that vanished, whose last text stays', async () => {
      const live = config.live('greeting', greeting);
      await config.start();
      await set(remote, { '': 'greeting: { size: 4 }', 'greeting.template': 'Hi' });
      await set(remote, { 'greeting.template': undefined });
      expect(live.value).toEqual({ template: 'Hi', size: 4 });
      await set(remote, { '': undefined });
      expect(live.value).toEqual({ template: 'Hi', size: 4 });
      expect(config.status.value.problems.map(({ path }) => path)).toEqual(['', 'greeting.template']);
      expect(logged.filter((line) => line.includes('was deleted'))).toHaveLength(2);
      await set(remote, { '': '{}', 'greeting.template': 'null' });
      expect(live.value).toEqual({ template: 'Hello', size: 3 });
      expect(config.status.value.degraded).toBe(false);
    });

    it('is not what the platform wrote for itself', async () => {
      await config.start();
      config.settled();
      await set(remote, { '.history': '[not: yaml', '.': '1' });
      expect(config.status.value).toMatchObject({ problems: [], unclaimed: [], degraded: false });
    });
  });

  describe('keys that nobody asks for', () => {
    it('are listed and said once, after all is settled, and are no problem', async () => {
      config.live('greeting', greeting);
      await config.start();
      await set(remote, { '': 'greting: { size: 4 }\nempty: {}\ngreeting.size: 4' });
      expect(config.status.value.unclaimed).toEqual([]);
      config.settled();
      config.settled();
      await set(remote, { other: '1' });
      await set(remote, { other: '2' });
      expect(config.status.value).toMatchObject({ unclaimed: ['empty', 'greting.size', 'other'], degraded: false });
      expect(logged.filter((line) => line.includes('misspelt'))).toEqual([
        'nothing here asks for empty, greting.size: misspelt?',
        'nothing here asks for other: misspelt?',
      ]);
    });
  });

  describe('a store that is down', () => {
    it('changes nothing, is asked at most once a second, and heard within 5 s', async () => {
      const reads: number[] = [];
      const live = config.live('greeting', greeting);
      await config.start();
      await set(remote, { '': 'greeting: { size: 4 }' });
      remote.store.breakOff('it is gone');
      await clock.advance(0);
      const original = remote.read.bind(remote);
      remote.read = (...args) => {
        reads.push(clock.now());
        return original(...args);
      };
      await clock.advance(120_000);
      expect(reads.length).toBeGreaterThan(20);
      const gaps = reads.slice(1).map((at, index) => at - reads[index]!);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
      expect(live.value.size).toBe(4);
      expect(config.status.value.layers[1]).toMatchObject({
        contact: 'down',
        origin: 'store',
        reason: 'memory "remote" cannot be reached (it is gone).',
      });
      expect(config.status.value.degraded).toBe(true);
      remote.store.bringBack();
      expect(
        remote.store.write('users', new Map([['', 'greeting: { size: 7 }']]), remote.store.read('users').cursor),
      ).toBe(true);
      await clock.advance(5_000);
      expect(live.value.size).toBe(7);
      expect(config.status.value).toMatchObject({ degraded: false, layers: [{ contact: 'up' }, { contact: 'up' }] });
      expect(logged.filter((line) => line.startsWith('memory "remote"'))).toHaveLength(2);
    });

    it('loses nothing when the history that it waited on is compacted', async () => {
      const live = config.live('greeting', greeting);
      await config.start();
      await set(remote, { '': 'greeting: { size: 4 }' });
      remote.store.compact();
      await set(remote, { '': 'greeting: { size: 5 }' });
      await clock.advance(5_000);
      expect(live.value.size).toBe(5);
    });

    it('does not slow the other down', async () => {
      const live = config.live('greeting', greeting);
      remote.store.breakOff();
      const starting = config.start({ withinMs: 2_000 });
      await set(file, { '': 'greeting: { size: 2 }' });
      expect(live.value.size).toBe(2);
      await clock.advance(2_000);
      await starting;
      expect(config.status.value.layers.map(({ contact, origin }) => `${contact} ${origin}`)).toEqual([
        'up store',
        'down none',
      ]);
    });
  });

  describe('start', () => {
    it('waits for the first reading of every store, but no longer than it may', async () => {
      remote.store.breakOff();
      let started = false;
      const starting = config.start({ withinMs: 3_000 }).then(() => (started = true));
      await clock.advance(2_999);
      expect(started).toBe(false);
      await clock.advance(1);
      await starting;
      expect(config.status.value.degraded).toBe(true);
    });

    it('goes on at once when a store that was down answers', async () => {
      const live = config.live('greeting', greeting);
      remote.store.write('users', new Map([['', 'greeting: { size: 4 }']]), '0');
      remote.store.breakOff();
      const starting = config.start({ withinMs: 60_000 });
      await clock.advance(500);
      remote.store.bringBack();
      await clock.advance(2_000);
      await starting;
      expect(live.value.size).toBe(4);
    });

    it('uses the snapshot while the store is down, judged like any text, and then the store', async () => {
      const snapshots = new MemorySnapshots();
      const first = open([remote], { snapshots });
      first.live('greeting', greeting);
      await first.start();
      await set(remote, { '': 'greeting: { size: 4 }', 'greeting.template': 'Hi' });
      await set(remote, { 'greeting.template': '7' });
      await clock.advance(1_000);
      expect(snapshots.saved.get('memory "remote"')).toEqual(
        new Map([
          ['', 'greeting: { size: 4 }'],
          ['greeting.template', 'Hi'],
        ]),
      );
      remote.store.breakOff();
      config = open([remote], { snapshots });
      const live = config.live('greeting', greeting);
      const narrower = config.live('other', z.number().default(1));
      await config.start({ withinMs: 60_000 });
      expect(live.value).toEqual({ template: 'Hi', size: 4 });
      expect(narrower.value).toBe(1);
      expect(config.status.value.layers[0]).toMatchObject({ contact: 'down', origin: 'snapshot' });
      remote.store.bringBack();
      await clock.advance(5_000);
      expect(live.value).toEqual({ template: 'Hi', size: 4 });
      expect(config.status.value.layers[0]).toMatchObject({ contact: 'up', origin: 'store' });
      expect(problems()).toEqual([
        'memory "remote" greeting.template: greeting.template: expected string, received number',
      ]);
    });

    it('uses the snapshot for what the store has bad, and forgets what the store has deleted', async () => {
      const snapshots = new MemorySnapshots();
      snapshots.saved.set(
        'memory "remote"',
        new Map([
          ['', 'greeting: { size: 4 }'],
          ['greeting.template', 'Gone'],
          ['limits.low', 'x'],
          ['log', '['],
        ]),
      );
      remote.store.write(
        'users',
        new Map([
          ['', 'greeting: { size: many }'],
          ['limits.low', 'y'],
        ]),
        '0',
      );
      config = open([remote], { snapshots });
      await config.start();
      const live = config.live('greeting', greeting);
      const low = config.live('limits', limits);
      expect(live.value).toEqual({ template: 'Hello', size: 4 });
      expect(low.value.low).toBe(1);
      config.settled();
      expect(problems().toSorted()).toEqual([
        'memory "remote" : greeting.size: expected number, received string',
        'memory "remote" limits.low: limits.low: expected number, received string',
      ]);
      await set(remote, { '': 'greeting: { size: 6 }', 'limits.low': '2' });
      expect([live.value.size, low.value.low]).toEqual([6, 2]);
    });

    it('has claims first and the reading then, with the same end', async () => {
      const snapshots = new MemorySnapshots();
      snapshots.saved.set('memory "remote"', new Map([['', 'greeting: { size: 4 }']]));
      remote.store.write('users', new Map([['', 'greeting: { size: many }']]), '0');
      config = open([remote], { snapshots });
      const live = config.live('greeting', greeting);
      await config.start();
      expect(live.value.size).toBe(4);
      expect(problems()).toEqual(['memory "remote" : greeting.size: expected number, received string']);
    });

    it('keeps snapshots on disk for the owner alone, whole, one for each store', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-snapshots-'));
      const snapshots = new FileConfigSnapshots(join(folder, 'deep'));
      expect(await snapshots.load('etcd', 'users')).toBeUndefined();
      await snapshots.save(
        'etcd',
        'users',
        new Map([
          ['', 'a: 1'],
          ['__proto__', 'x'],
        ]),
      );
      await snapshots.save('consul', 'users', new Map([['', 'a: 2']]));
      expect(await snapshots.load('etcd', 'users')).toEqual(
        new Map([
          ['', 'a: 1'],
          ['__proto__', 'x'],
        ]),
      );
      expect((await snapshots.load('consul', 'users'))?.get('')).toBe('a: 2');
      expect(await snapshots.load('etcd', 'orders')).toBeUndefined();
      await rm(folder, { recursive: true });
    });

    it('writes what is due when it is closed, and says so when the disk does not take it', async () => {
      const snapshots = new MemorySnapshots();
      config = open([remote], { snapshots });
      await config.start();
      await set(remote, { '': 'a: 1' });
      await config.close();
      expect(snapshots.saved.get('memory "remote"')).toEqual(new Map([['', 'a: 1']]));
      snapshots.save = () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }));
      remote = new MemoryDriver('remote', { clock, remote: true });
      config = open([remote], { snapshots });
      await config.start();
      await clock.advance(1_000);
      expect(logged).toContain('the snapshot of memory "remote" was not saved (ENOSPC)');
    });
  });

  it('is closed once, keeps its values, and starts no more', async () => {
    const live = config.live('greeting', greeting);
    await config.start();
    await set(remote, { '': 'greeting: { size: 4 }' });
    await config.close();
    await config.close();
    await config.start();
    expect(live.value.size).toBe(4);
  });

  it('says which keys have changed while it serves, and never to what', async () => {
    const told: string[] = [];
    vi.spyOn(Logger.prototype, 'log').mockImplementation((message: unknown) => void told.push(String(message)));
    config.live('greeting', greeting);
    await config.start();
    config.settled();
    await set(remote, { 'greeting.template': 'hush' });
    await set(remote, { 'greeting.template': 'hush', 'greeting.size': '3' });
    expect(told).toEqual(['in use from now on: greeting']);
  });
});
