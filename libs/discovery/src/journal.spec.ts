import { Journal, seededRandom } from '@holdfast/core';
import { FakeClock, settle } from '@holdfast/testing';
import { Logger } from '@nestjs/common';
import { expect, it } from 'vitest';
import { Discovery } from './discovery.js';
import type { Instance } from './driver.js';
import { ScriptedRegistry } from './testing/scripted-registry.js';

const user = (n: number): Instance => ({
  id: `users-${n}`,
  service: 'users',
  host: '127.0.0.1',
  port: n,
  protocol: 'grpc',
});

it('the journal is told whom is held against the registry’s word, and when the registry is gone and back', async () => {
  Logger.overrideLogger(false);
  const clock = new FakeClock();
  const journal = new Journal({ clock });
  const registry = new ScriptedRegistry(() => clock.now());
  const discovery = new Discovery(registry, { clock, random: seededRandom(7), probe: async () => true, journal });
  registry.say([user(1), user(2), user(3)]);
  discovery.watch('users');
  await settle();
  expect(journal.recent()).toEqual([]);
  registry.say([]);
  await clock.advance(200);
  registry.fail('connection refused');
  await clock.advance(60_000);
  registry.recover();
  await clock.advance(10_000);
  expect(journal.recent().map(({ kind }) => kind)).toEqual(['held', 'unreachable', 'reachable']);
  expect(journal.recent()[0]).toMatchObject({ subject: 'users', what: 'keeps 3 instances while they answer' });
  expect(journal.recent()[1]!.why).toContain('connection refused');
  await discovery.close();
});
