import { randomUUID } from 'node:crypto';
import { ConfigEditor, openConfigDriver, type ConfigDriver } from '@holdfast/config';
import { Code, Journal, ServiceError } from '@holdfast/core';
import { Resilience } from '@holdfast/resilience';
import { FakeClock } from '@holdfast/testing';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Operator } from './operator.js';
import type { ConsoleSubject } from './subject.js';

const greeting = z.strictObject({
  template: z.string().default('Hello').describe('What is said.'),
  key: z.string().default('none').meta({ secret: true }).describe('A secret.'),
});

describe('Operator', () => {
  let clock: FakeClock;
  let journal: Journal;
  let driver: ConfigDriver;
  let resilience: Resilience;
  let drains: unknown[];
  let logged: string[];
  let operator: Operator;

  const told = () => journal.recent().map(({ kind, subject, what, why }) => `${kind}: ${subject} ${what}, ${why}`);

  beforeEach(async () => {
    logged = [];
    Logger.overrideLogger(false);
    for (const level of ['log', 'warn'] as const) {
      vi.spyOn(Logger.prototype, level).mockImplementation((message: unknown) => void logged.push(String(message)));
    }
    clock = new FakeClock();
    journal = new Journal({ clock });
    resilience = new Resilience({ clock });
    await resilience.run('users.get', async () => 'well', {});
    driver = await openConfigDriver(`memory:${randomUUID()}`, { clock, random: () => 0.5 });
    drains = [];
    const target = {
      name: 'users',
      drain: (address: string, drained: boolean) => {
        if (address === 'last') throw new ServiceError(Code.FAILED_PRECONDITION, 'It is the last.');
        drains.push([address, drained]);
      },
    };
    operator = new Operator({
      self: { name: 'gateway' },
      clock,
      targets: { all: [target] },
      resilience,
      journal,
      editor: async () =>
        new ConfigEditor('gateway', [{ key: 'greeting', schema: greeting }], [driver], { by: 'a test', clock }),
    } as unknown as ConsoleSubject);
  });
  afterEach(async () => {
    await driver.close();
    vi.restoreAllMocks();
  });

  it('drains and undrains, each a line in journal and log', () => {
    operator.drain({ service: 'users', address: 'a:1', drained: true }, '127.0.0.1');
    operator.drain({ service: 'users', address: 'a:1', drained: false }, '127.0.0.1');
    expect(drains).toEqual([['a:1', true], ['a:1', false]]); // prettier-ignore
    expect(told()).toEqual([
      'ordered: users a:1 gets no more calls, by an operator at 127.0.0.1',
      'ordered: users a:1 gets calls again, by an operator at 127.0.0.1',
    ]);
    expect(logged).toHaveLength(2);
  });

  it('holds breakers open and closed, and lets go of them', () => {
    operator.force({ method: 'users.get', state: 'open' }, '::1');
    expect(resilience.states()['users.get']).toMatchObject({ forced: 'open' });
    operator.force({ method: 'users.get', state: 'auto' }, '::1');
    expect(resilience.states()['users.get']).not.toHaveProperty('forced');
    expect(told()).toEqual([
      'ordered: users.get is held open, by an operator at ::1',
      'ordered: users.get is left to its breaker again, by an operator at ::1',
    ]);
  });

  it.each([
    ['an unknown service', () => operator.drain({ service: 'x', address: 'a', drained: true }, ''), Code.NOT_FOUND],
    [
      'the last instance',
      () => operator.drain({ service: 'users', address: 'last', drained: true }, ''),
      Code.FAILED_PRECONDITION,
    ],
    ['an unknown method', () => operator.force({ method: 'x', state: 'open' }, ''), Code.NOT_FOUND],
    ['an unknown state', () => operator.force({ method: 'users.get', state: 'ajar' }, ''), Code.INVALID_ARGUMENT],
    [
      'a field too many',
      () => operator.force({ method: 'users.get', state: 'open', for: 1 }, ''),
      Code.INVALID_ARGUMENT,
    ],
    ['no body', () => operator.drain(undefined, ''), Code.INVALID_ARGUMENT],
    ['an endless name', () => operator.force({ method: 'x'.repeat(300), state: 'open' }, ''), Code.INVALID_ARGUMENT],
  ])('refuses %s with a sentence, and does nothing', (_what, act, code) => {
    expect(act).toThrow(expect.objectContaining({ code, message: expect.stringMatching(/\.$/) as string }) as Error);
    expect(drains).toEqual([]);
    expect(told()).toEqual([]);
  });

  it('writes a setting, and takes it back', async () => {
    const { said } = await operator.set({ key: 'greeting.template', value: 'Good day' }, '127.0.0.1');
    expect(said).toMatch(/as revision 1: greeting.template is "Good day"\.$/);
    expect((await operator.settings()).find(({ key }) => key === 'greeting.template')).toMatchObject({
      value: 'Good day',
    });
    await operator.set({ key: 'greeting.template', value: null }, '127.0.0.1');
    expect((await operator.settings()).find(({ key }) => key === 'greeting.template')).toMatchObject({
      value: 'Hello',
      meaning: expect.stringContaining('What is said') as string,
    });
    expect(told()).toEqual([
      'ordered: gateway greeting.template is set, by an operator at 127.0.0.1',
      'ordered: gateway greeting.template is taken back, by an operator at 127.0.0.1',
    ]);
    expect((await operator.set({ key: 'greeting.template', value: null }, '')).said).toContain('Nothing would change');
  });

  it.each([
    ['greeting.template', '[1, 2]', 'expected string'],
    ['greeting.tempalte', 'x', 'template'],
    ['greeting.template', '{unclosed', 'YAML'],
  ])('refuses %s: %s, as the command line does, and notes it', async (key, value, hint) => {
    await expect(operator.set({ key, value }, '127.0.0.1')).rejects.toMatchObject({
      code: Code.FAILED_PRECONDITION,
      message: expect.stringContaining(hint) as string,
    });
    expect((await operator.settings()).find((one) => one.key === 'greeting.template')).toMatchObject({
      value: 'Hello',
    });
    expect(told()).toEqual([
      expect.stringContaining(`refused: gateway ${key} is not set, by an operator at 127.0.0.1`),
    ]);
    expect(logged).toHaveLength(1);
  });

  it('logs wrong tokens, and not more of them than a line a second', async () => {
    for (let guess = 0; guess < 1_000; guess++) operator.wrongToken('10.0.0.9');
    await clock.advance(1_000);
    operator.wrongToken('10.0.0.9');
    expect(logged).toEqual([
      'a wrong token was shown to the live page from 10.0.0.9',
      'a wrong token was shown to the live page from 10.0.0.9, 1000 times since the last such line',
    ]);
  });

  it('says no secret, to whoever writes it or reads it, nor in journal or log', async () => {
    const { said } = await operator.set({ key: 'greeting.key', value: 'hunter2' }, '127.0.0.1');
    const everything = JSON.stringify([said, await operator.settings(), told(), logged]);
    expect(everything).not.toContain('hunter2');
    expect(everything).toContain('•••');
  });
});
