import { seededRandom } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Demand } from './claim.js';
import { ConfigWatch } from './config-watch.js';
import type { ConfigDriver, Reading } from './driver.js';
import { MemoryDriver } from './drivers/memory.js';
import { ConfigEditor, EditError } from './editor.js';
import { judge } from './judgement.js';
import { SECRET, type Proposal } from './proposal.js';
import { textOf } from './leaves.js';

const limits = z
  .strictObject({
    timeout: z
      .int()
      .min(1)
      .max(9_000)
      .optional()
      .describe('How long the whole call may take, in milliseconds; 1 to 9,000. More.'),
    attemptTimeout: z.int().min(1).max(9_000).optional(),
    breaker: z.strictObject({ openMs: z.int().default(5), probes: z.int().default(1) }).optional(),
  })
  .refine(({ timeout, attemptTimeout }) => (attemptTimeout ?? 0) <= (timeout ?? Infinity), {
    path: ['attemptTimeout'],
    message: 'must not be above timeout',
  });
const demands: readonly Demand[] = [
  { key: 'greeting', schema: z.strictObject({ template: z.string().max(99).default('Hello') }) },
  { key: 'resilience.users.get', schema: limits, code: { timeout: 1_000 } },
  { key: 'resilience.users.list', schema: limits },
  { key: 'log.level', schema: z.enum(['log', 'warn']).default('log') },
  {
    key: 'mail',
    schema: z.object({ password: z.string().meta({ secret: true }).optional(), host: z.string().default('mx') }),
  },
];

const changed = ({ values }: Proposal) =>
  values.map(({ key, before, after }) => `${key}: ${textOf(before?.value)} → ${textOf(after?.value)}`);
/** Some sixty values. */
const map = (value: number) =>
  `{${Array.from({ length: 60 }, (_, n) => `k${n}: ${value + (n % 2 ? n : 0)}`).join(', ')}}`;

describe('ConfigEditor', () => {
  let clock: FakeClock;
  let file: MemoryDriver;
  let remote: MemoryDriver;
  let editor: ConfigEditor;

  const editorOf = (drivers: readonly ConfigDriver[], by = 'ann@desk') =>
    new ConfigEditor('users', demands, drivers, { by, clock, random: seededRandom(7) });
  const set = (edits: Readonly<Record<string, string | null>>, on?: ConfigEditor) =>
    (on ?? editor).write(new Map(Object.entries(edits)));
  const propose = (edits: Readonly<Record<string, string | null>>) => editor.propose(new Map(Object.entries(edits)));
  const refusalOf = async (edits: Readonly<Record<string, string | null>>) => {
    const before = texts(true);
    const message = await set(edits).then(
      () => 'written',
      (error: unknown) => (error instanceof EditError ? error.message : 'no EditError'),
    );
    expect(texts(true)).toEqual(before);
    expect((await propose(edits)).refusals).not.toEqual([]);
    return message;
  };
  /** Writes past the editor, as etcdctl would. */
  const foreign = (changes: Readonly<Record<string, string | undefined>>, driver?: MemoryDriver) => {
    const { store } = driver ?? remote;
    const { cursor } = store.read('users');
    expect(store.write('users', new Map(Object.entries(changes)), cursor)).toBe(true);
  };
  const texts = (withHistory = false) => {
    const entries = [...remote.store.read('users').entries];
    return Object.fromEntries(entries.filter(([path]) => withHistory || path !== '.history'));
  };
  const valueOf = async (key: string) => (await editor.show()).values.find((value) => value.key === key);
  const history = async () =>
    (await editor.history()).map(({ revision, by, changes }) => {
      const words = [...changes].map(([path, { before, after }]) => `${path}: ${before ?? '-'} → ${after ?? '-'}`);
      return `${revision} ${by} ${words.join(', ')}`;
    });
  /** What the service's processes have. */
  const effective = () =>
    judge(
      demands,
      [file, remote].map(({ name, store }) => ({ name, entries: store.read('users').entries })),
    ).values;

  beforeEach(() => {
    clock = new FakeClock();
    file = new MemoryDriver('file', { clock });
    remote = new MemoryDriver('remote', { clock });
    editor = editorOf([file, remote]);
  });

  afterEach(async () => {
    await Promise.all([file.close(), remote.close()]);
    expect(clock.pending).toBe(0);
  });

  describe('show', () => {
    it('says of each value who says it', async () => {
      foreign({ '': 'greeting: { template: File }\nresilience.users.get.attemptTimeout: 200' }, file);
      foreign({ 'resilience.users.get': '{ attemptTimeout: 300, breaker: {} }' });
      const { values } = await editor.show();
      expect(values.map(({ key, value, from }) => [key, value, from])).toEqual([
        ['greeting.template', 'File', 'memory "file"'],
        ['resilience.users.get.timeout', 1_000, 'code'],
        ['resilience.users.get.attemptTimeout', 300, 'memory "remote"'],
        ['resilience.users.get.breaker.openMs', 5, 'default'],
        ['resilience.users.get.breaker.probes', 1, 'default'],
        ['resilience.users.list', {}, 'default'],
        ['log.level', 'log', 'default'],
        ['mail.host', 'mx', 'default'],
      ]);
    });

    it('lists keys that nobody asks for, and what cannot be used', async () => {
      foreign({ '': 'greting: { template: x }\nmail: { hots: y }', 'log.level': 'loud' });
      const { strangers, problems, values } = await editor.show();
      expect(strangers).toEqual(['greting.template', 'mail.hots']);
      expect(problems).toMatchObject([{ path: 'log.level', layer: 'memory "remote"' }]);
      expect(values.find(({ key }) => key === 'log.level')).toMatchObject({ value: 'log', from: 'default' });
    });

    it('rejects with a sentence when a store does not answer', async () => {
      file.store.breakOff();
      await expect(editor.show()).rejects.toThrow(/^memory "file" cannot be reached \(it was broken off\)\.$/);
      await expect(editor.show()).rejects.toBeInstanceOf(EditError);
    });
  });

  describe('propose', () => {
    it('gives old and new values in use, and writes nothing', async () => {
      expect(
        changed(await propose({ 'resilience.users.get.timeout': '500', 'greeting.template': 'Hi: you'.slice(0, 2) })),
      ).toEqual(['greeting.template: Hello → Hi', 'resilience.users.get.timeout: 1000 → 500']);
      expect(texts(true)).toEqual({});
    });

    it('tells what goes with a default that is explicit now: a text, but no value', async () => {
      const proposal = await propose({ 'log.level': 'log' });
      expect(proposal.values).toEqual([]);
      expect([...proposal.texts]).toEqual([['log.level', { before: undefined, after: 'log' }]]);
    });
  });

  describe('refuses, and writes nothing', () => {
    it.each([
      ['a slip', { 'greeting.tempalte': 'x' }, 'there is no key greeting.tempalte; did you mean greeting.template?'],
      ['a wrong name', { 'resilience.user.get.timeout': '5' }, 'did you mean resilience.users.get.timeout?'],
      ['a start left out', { 'get.timeout': '5' }, 'did you mean resilience.users.get.timeout?'],
      [
        'an option of the schema',
        { 'resilience.users.get.breaker.opnMs': '5' },
        'did you mean resilience.users.get.breaker.openMs?',
      ],
      ['what a lax schema would drop', { 'mail.hots': 'y' }, 'there is no key mail.hots; did you mean mail.host?'],
      ['what is like nothing', { wholly: 'x' }, 'there is no key wholly; there are greeting, resilience.users.get, '],
      ['a key in a document', { '': 'greeting: { tmplate: x }' }, 'there is no key greeting.tmplate'],
      ['a key to take back', { 'greeting.tempalte': null }, 'did you mean greeting.template?'],
      ['the history', { '.history': '[]' }, '.history has a key that is empty'],
      ['a value out of range', { 'resilience.users.get.timeout': '0' }, 'resilience.users.get.timeout: '],
      [
        'a wrong type',
        { 'resilience.users.get.timeout': 'soon' },
        '; it is: How long the whole call may take, in milliseconds; 1 to 9,000.',
      ],
      ['broken YAML', { 'greeting.template': '{a' }, 'greeting.template is not readable as YAML'],
      ['a broken document', { '': 'greeting: [' }, 'the document is not readable as YAML at line 1'],
      [
        'what does not go together',
        { 'resilience.users.get.attemptTimeout': '2000' },
        'attemptTimeout: must not be above timeout',
      ],
      [
        'both halves of that',
        { 'resilience.users.get': '{timeout: 5, attemptTimeout: 6}' },
        'must not be above timeout',
      ],
      ['the good beside the bad', { 'greeting.template': 'Hi', 'log.level': 'loud' }, 'log.level: '],
    ])('%s', async (_, edits, reason) => {
      const message = await refusalOf(edits);
      expect(message).toMatch(/^Nothing was written: [^\n]*[^.\n][.?]$/);
      expect(message).toContain(reason);
    });

    it('what makes a value bad that was set before', async () => {
      await set({ 'resilience.users.get.attemptTimeout': '900' });
      expect(await refusalOf({ 'resilience.users.get.timeout': '500' })).toContain('must not be above timeout');
    });

    it('the same bad value again', async () => {
      foreign({ 'log.level': 'loud' });
      expect(await refusalOf({ 'log.level': 'louder' })).toContain('log.level: ');
    });

    it('but never for what was wrong before', async () => {
      foreign({ '': 'greeting: [', 'log.level': 'loud', strange: '1' });
      expect(changed(await set({ 'mail.host': 'mx2' }))).toEqual(['mail.host: mx → mx2']);
      expect(changed(await set({ 'log.level': 'warn' }))).toEqual(['log.level: log → warn']);
    });

    it('and never shows a value that was found', async () => {
      expect(await refusalOf({ 'mail.password': '[hunter2]' })).not.toContain('hunter2');
    });
  });

  describe('write', () => {
    it('says values one by one, so that a map adds to what is there', async () => {
      foreign({ '': 'resilience.users.get: { attemptTimeout: 300 }' });
      await set({ 'resilience.users': '{ get: { timeout: 700, breaker: {} } }' });
      expect(texts()).toEqual({
        '': 'resilience.users.get: { attemptTimeout: 300 }',
        'resilience.users.get.timeout': '700',
        'resilience.users.get.breaker': '{}',
      });
      expect(effective().get('resilience.users.get')).toEqual({
        timeout: 700,
        attemptTimeout: 300,
        breaker: { openMs: 5, probes: 1 },
      });
    });

    it('takes back by null: never by deleting, which a process takes for an accident', async () => {
      await set({ 'resilience.users.get.timeout': '700', 'resilience.users.get.breaker.openMs': '9' });
      const { values, revision } = await set({ 'resilience.users.get': null });
      expect(values.map(({ key }) => key)).toHaveLength(3);
      expect(revision).toBe(2);
      expect(texts()).toEqual({
        'resilience.users.get': 'null',
        'resilience.users.get.timeout': 'null',
        'resilience.users.get.breaker.openMs': 'null',
      });
      expect(effective().get('resilience.users.get')).toEqual({ timeout: 1_000 });
    });

    it('takes back what a weaker store says', async () => {
      foreign({ 'greeting.template': 'File' }, file);
      expect(changed(await set({ 'greeting.template': null }))).toEqual(['greeting.template: File → Hello']);
      expect((await set({ 'greeting.template': null })).revision).toBeUndefined();
    });

    it('takes back a stray key that somebody set', async () => {
      foreign({ '': 'greting: { template: x }' });
      await set({ greting: null });
      expect((await editor.show()).strangers).toEqual([]);
    });

    it('makes a whole document all that is said, over single entries too', async () => {
      await set({ 'greeting.template': 'Hi', 'log.level': 'warn', 'mail.host': 'a' });
      const { values } = await set({ '': '# by hand\ngreeting: { template: Ahoi }\nmail: { host: a }\n' });
      expect(values.map(({ key }) => key)).toEqual(['greeting.template', 'log.level']);
      expect(texts()).toEqual({
        '': '# by hand\ngreeting: { template: Ahoi }\nmail: { host: a }\n',
        'greeting.template': 'Ahoi',
        'log.level': 'null',
        'mail.host': 'a',
      });
    });

    it('writes nothing when nothing would change', async () => {
      foreign({ '': 'log: { level: warn }' });
      const { cursor } = remote.store.read('users');
      for (const edits of [
        { 'log.level': 'warn' },
        { '': '{log.level: warn} # same' },
        { 'mail.password': null },
        { mail: '{}' },
      ]) {
        const { revision, texts: said } = await set(edits);
        if (edits.mail) continue;
        expect([revision, said.size]).toEqual([undefined, 0]);
        expect(remote.store.read('users').cursor).toBe(cursor);
      }
    });

    it('keeps the weaker stores as they are', async () => {
      await set({ 'greeting.template': 'Hi' });
      expect(file.store.read('users').entries.size).toBe(0);
    });

    it('shows the same text for the same value', async () => {
      await set({ 'greeting.template': '"1"' });
      expect(texts()['greeting.template']).toBe('"1"');
      expect((await set({ 'greeting.template': "'1'" })).revision).toBeUndefined();
      await set({ 'greeting.template': '"Hi: {name}\\nyou"' });
      expect(texts()['greeting.template']).toBe('"Hi: {name}\\nyou"');
      expect((await valueOf('greeting.template'))?.value).toBe('Hi: {name}\nyou');
    });
  });

  describe('beside other writers', () => {
    /** A driver before whose every write somebody else is faster, so many times. */
    const raced = (times: number, change: (turn: number) => Record<string, string>) => {
      let turn = 0;
      const slow: ConfigDriver = {
        name: remote.name,
        remote: false,
        maxWaitMs: remote.maxWaitMs,
        read: (...args) => remote.read(...args),
        write: (...args) => {
          if (turn < times) foreign(change(turn++));
          return remote.write(...args);
        },
        close: () => Promise.resolve(),
      };
      return slow;
    };
    const finish = async <T>(work: Promise<T>): Promise<T> => {
      const progress = { done: false };
      void work.catch(() => {}).then(() => (progress.done = true));
      for (let turn = 0; turn < 500 && !progress.done; turn++) await clock.advance(50);
      return work;
    };

    it('reads, judges and writes again after a lost race, and loses nothing', async () => {
      const slow = editorOf([file, raced(3, (turn) => ({ 'mail.host': `h${turn}` }))]);
      const { revision } = await finish(set({ 'log.level': 'warn' }, slow));
      expect(texts()).toEqual({ 'mail.host': 'h2', 'log.level': 'warn' });
      expect(revision).toBe(2);
      expect(await history()).toEqual(['1 someone else mail.host: - → h2', '2 ann@desk log.level: - → warn']);
    });

    it('refuses what has become impossible by the change that won', async () => {
      const slow = editorOf([file, raced(1, () => ({ 'resilience.users.get.timeout': '100' }))]);
      await expect(finish(set({ 'resilience.users.get.attemptTimeout': '500' }, slow))).rejects.toThrow(
        'must not be above timeout',
      );
      expect(texts()).toEqual({ 'resilience.users.get.timeout': '100' });
    });

    it('gives up after ten lost races, with a sentence', async () => {
      const slow = editorOf([file, raced(100, (turn) => ({ 'mail.host': `h${turn}` }))]);
      await expect(finish(set({ 'log.level': 'warn' }, slow))).rejects.toThrow(
        /^Nothing was written: others change memory "remote" all the time; try again\.$/,
      );
      expect(texts()).toEqual({ 'mail.host': 'h9' });
    });

    it('of two editors at once both get through', async () => {
      const other = editorOf([file, remote], 'bob@desk');
      await finish(
        Promise.all(
          Array.from({ length: 6 }, (_, n) =>
            n % 2 ? set({ 'mail.host': `h${n}` }, other) : set({ 'greeting.template': `t${n}` }),
          ),
        ),
      );
      expect(await history()).toHaveLength(6);
      expect((await editor.history()).map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5, 6]);
    });
  });

  describe('history and rollback', () => {
    it('goes back and forth, each time as one more revision', async () => {
      await set({ 'greeting.template': 'one' });
      await set({ 'greeting.template': 'two', 'log.level': 'warn' });
      expect(changed(await editor.proposeRollback(1))).toEqual([
        'greeting.template: two → one',
        'log.level: warn → log',
      ]);
      expect((await editor.rollback(1)).revision).toBe(3);
      expect(texts()).toEqual({ 'greeting.template': 'one', 'log.level': 'null' });
      expect((await editor.rollback(1)).revision).toBeUndefined();
      await editor.rollback(2);
      expect(texts()).toEqual({ 'greeting.template': 'two', 'log.level': 'warn' });
      await editor.rollback(0);
      expect(await history()).toEqual([
        '1 ann@desk greeting.template: - → one',
        '2 ann@desk greeting.template: one → two, log.level: - → warn',
        '3 ann@desk greeting.template: two → one, log.level: warn → null',
        '4 ann@desk greeting.template: one → two, log.level: null → warn',
        '5 ann@desk greeting.template: two → null, log.level: warn → null',
      ]);
    });

    it('shows what a weaker store says now, where nothing was said then', async () => {
      await set({ 'log.level': 'warn' });
      await set({ 'greeting.template': 'mine' });
      foreign({ 'greeting.template': 'weaker' }, file);
      await editor.rollback(1);
      expect(texts()).toEqual({ 'log.level': 'warn', 'greeting.template': 'weaker' });
      expect((await editor.rollback(1)).revision).toBeUndefined();
    });

    it('goes back over a great many values by the document', async () => {
      const wide: readonly Demand[] = [{ key: 'wide', schema: z.record(z.string(), z.int()).default({}) }];
      const wideEditor = new ConfigEditor('users', wide, [remote], { by: 'ann@desk', clock });
      await wideEditor.write(new Map([['', `wide: ${map(1)}`]]));
      await wideEditor.write(
        new Map([
          ['wide.k5', '77'],
          ['wide.extra', '5'],
        ]),
      );
      await wideEditor.write(new Map([['', `wide: ${map(1_000)}`]]));
      await wideEditor.rollback(2);
      const { values } = judge(wide, [{ name: 'x', entries: remote.store.read('users').entries }]);
      expect(values.get('wide')).toMatchObject({ k0: 1, k1: 2, k5: 77, extra: 5, k59: 60 });
      await wideEditor.rollback(1);
      const back = judge(wide, [{ name: 'x', entries: remote.store.read('users').entries }]).values.get('wide');
      expect(back).toMatchObject({ k5: 6 });
      expect(back).not.toHaveProperty('extra');
    });

    it('records what others did before the next change, so that it can be undone to the letter', async () => {
      await set({ 'greeting.template': 'one' });
      foreign({ 'greeting.template': 'theirs', '': 'log: { level: warn }' });
      expect(await history()).toEqual([
        '1 ann@desk greeting.template: - → one',
        '2 someone else greeting.template: one → theirs, log.level: - → warn',
      ]);
      await set({ 'mail.host': 'a' });
      expect(await history()).toHaveLength(3);
      await editor.rollback(1);
      expect(effective().get('greeting')).toEqual({ template: 'one' });
      expect(effective().get('log.level')).toBe('log');
      await editor.rollback(2);
      expect(effective().get('greeting')).toEqual({ template: 'theirs' });
      expect(effective().get('log.level')).toBe('warn');
    });

    it('goes back from what others broke, and never to it', async () => {
      await set({ '': 'greeting: { template: good }' });
      foreign({ '': 'greeting: [' });
      expect((await history()).at(-1)).toBe(`2 someone else : - → ${SECRET}, greeting.template: good → -`);
      await editor.rollback(1);
      expect(effective().get('greeting')).toEqual({ template: 'good' });
      await expect(editor.rollback(2)).rejects.toThrow('what the document said then is not readable as YAML');
    });

    it('refuses a way back to what is no longer possible, and writes nothing', async () => {
      foreign({ 'log.level': 'loud' });
      await set({ 'log.level': 'warn' });
      const before = texts(true);
      await expect(editor.rollback(1)).rejects.toThrow(/^Nothing was written: log\.level: /);
      expect(texts(true)).toEqual(before);
    });

    it('goes back to keys that nobody asks for any more', async () => {
      foreign({ old: '1' });
      await set({ 'log.level': 'warn', old: null });
      await editor.rollback(1);
      expect(texts()).toEqual({ old: '1', 'log.level': 'null' });
    });

    it('says which revisions there are', async () => {
      await expect(editor.rollback(3)).rejects.toThrow('There is no revision 3: nothing was changed yet.');
      await set({ 'log.level': 'warn' });
      await expect(editor.rollback(3)).rejects.toThrow('There is no revision 3: there are 0 to 1.');
      await expect(editor.compare(-1)).rejects.toThrow('There is no revision -1: there are 0 to 1.');
    });

    it('compares two revisions, or one with what is there', async () => {
      await set({ 'log.level': 'warn' });
      await set({ 'greeting.template': 'x' });
      foreign({ 'mail.host': 'b' });
      expect([...(await editor.compare(1, 2))]).toEqual([['greeting.template', { before: undefined, after: 'x' }]]);
      expect([...(await editor.compare(2)).keys()]).toEqual(['mail.host']);
      expect([...(await editor.compare(2, 0)).values()]).toContainEqual({ before: 'x', after: undefined });
    });

    it('keeps 100 revisions, and counts on', async () => {
      for (let n = 1; n <= 105; n++) await set({ 'resilience.users.get.timeout': String(n) });
      const revisions = await editor.history();
      expect([revisions.length, revisions[0]!.revision, revisions.at(-1)!.revision]).toEqual([100, 6, 105]);
      expect((await editor.rollback(5)).values[0]!.after!.value).toBe(5);
      await expect(editor.rollback(4)).rejects.toThrow('there are 6 to 106');
    });

    it('keeps at most 256 KiB', async () => {
      const wide: readonly Demand[] = [{ key: 'text', schema: z.string().default('') }];
      const wideEditor = new ConfigEditor('users', wide, [remote], { by: 'ann@desk', clock });
      const write = (n: number, length: number) => wideEditor.write(new Map([['text', `${n}-${'ü'.repeat(length)}`]]));
      for (let n = 1; n <= 12; n++) await write(n, 20_000);
      expect(Buffer.byteLength(texts(true)['.history']!)).toBeLessThanOrEqual(256 * 1024);
      const kept = (await wideEditor.history()).map(({ revision }) => revision);
      expect(kept).toEqual([11, 12]);
      await write(13, 200_000);
      expect(Buffer.byteLength(texts(true)['.history']!)).toBeLessThan(100);
      await write(14, 10);
      await write(15, 10);
      expect((await wideEditor.history()).map(({ revision }) => revision)).toEqual([15]);
    });

    it('begins anew where somebody has spoilt it', async () => {
      await set({ 'log.level': 'warn' });
      for (const spoilt of ['no json', '{}', '[1]', 'null', '{"revision":3,"revisions":[{"changes":7}]}']) {
        foreign({ '.history': spoilt });
        expect(await history()).toEqual(['1 someone else log.level: - → warn']);
      }
      await set({ 'log.level': 'log' });
      expect(await history()).toHaveLength(2);
    });
  });

  it('never gives a secret away', async () => {
    const seen: unknown[] = [await set({ 'mail.password': 'hunter2' })];
    foreign({ 'mail.pasword': 'hunter2' });
    seen.push(await set({ 'mail.password': 'hunter3' }), await propose({ mail: '{password: hunter4}' }));
    seen.push(await editor.show(), await editor.history(), await editor.compare(0), await editor.proposeRollback(1));
    seen.push(await editor.rollback(1));
    const shown = JSON.stringify(seen, (_, value: unknown) => (value instanceof Map ? [...value] : value));
    expect(shown).not.toContain('hunter');
    expect(shown).toContain(SECRET);
    expect(effective().get('mail')).toMatchObject({ password: 'hunter2' });
  });

  it('a watch tells of each change in use, and of what cannot be used', async () => {
    const lines: string[] = [];
    foreign({ 'log.level': 'warn' });
    const watch = new ConfigWatch('users', demands, [file, remote], {
      clock,
      random: seededRandom(3),
      onChange: ({ key, before, after }) =>
        lines.push(`${key} ${textOf(before?.value ?? null)} → ${textOf(after?.value ?? null)} ${after?.from}`),
      onNotice: (sentence) => lines.push(sentence),
    });
    const step = async (work?: () => unknown) => {
      await work?.();
      await clock.advance(100);
      return lines.splice(0);
    };
    expect(await step()).toEqual([]);
    expect(await step(() => set({ 'mail.host': 'a', 'mail.password': 'hunter2' }))).toEqual([
      `mail.host mx → a memory "remote"`,
      `mail.password null → ${SECRET} memory "remote"`,
    ]);
    expect(await step(() => foreign({ 'log.level': 'loud' }))).toEqual([
      expect.stringMatching(/^log\.level of memory "remote" is not in use: .*\.$/),
    ]);
    expect(await step(() => foreign({ 'greeting.template': 'x' }, file))).toEqual([
      'greeting.template Hello → x memory "file"',
    ]);
    expect(await step(() => remote.store.breakOff())).toEqual([
      'memory "remote" cannot be reached (it was broken off).',
    ]);
    remote.store.bringBack();
    await clock.advance(5_000);
    expect(await step(() => set({ 'mail.host': null }))).toEqual([
      'memory "remote" answers again.',
      'mail.host a → mx default',
    ]);
    await watch.close();
  });
});

describe('a reading', () => {
  it('of nothing is nothing to change', async () => {
    const empty: Reading = { entries: new Map(), cursor: '1' };
    const driver: ConfigDriver = {
      name: 'empty',
      remote: false,
      maxWaitMs: 1,
      read: () => Promise.resolve(empty),
      write: () => Promise.reject(new Error('must not be written to.')),
      close: () => Promise.resolve(),
    };
    const editor = new ConfigEditor('users', demands, [driver], { by: 'ann@desk' });
    expect((await editor.write(new Map([['log', null]]))).revision).toBeUndefined();
    await expect(editor.write(new Map([['log.level', 'warn']]))).rejects.toThrow(/^must not be written to\.$/);
  });
});
