import { Journal, seededRandom } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { Logger } from '@nestjs/common';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { Config } from './config.js';
import { MemoryDriver } from './drivers/memory.js';
import { ConfigEditor } from './editor.js';

const greeting = z.strictObject({ template: z.string().default('Hello') });

it('the journal is told what is in use from now on and what was refused, and the status names the last revision', async () => {
  Logger.overrideLogger(false);
  const clock = new FakeClock();
  const journal = new Journal({ clock });
  const driver = new MemoryDriver('store', { clock });
  const config = new Config('users', [driver], { clock, random: seededRandom(1), journal });
  const write = async (path: string, text: string) => {
    driver.store.write('users', new Map([[path, text]]), driver.store.read('users').cursor);
    await clock.advance(50);
  };
  config.live('greeting', greeting);
  await config.start();
  config.settled();
  expect(config.status.value.layers[0]).not.toHaveProperty('revision');

  const editor = new ConfigEditor('users', [{ key: 'greeting', schema: greeting }], [driver], {
    by: 'dora@ops',
    clock,
  });
  await editor.write(new Map([['greeting.template', 'Good day']]));
  await clock.advance(50);
  const revision = { revision: 1, by: 'dora@ops', at: expect.stringMatching(/^2026-/) as string };
  expect(config.status.value.layers[0]).toMatchObject({ revision });
  await write('greeting.template', '17');
  await write('greeting.template', '17');
  await write('unasked', 'x');
  // By hand: there is no revision for it, and the last one stays the last.
  expect(config.status.value.layers[0]).toMatchObject({ revision });
  expect(journal.recent().map(({ kind, subject, what, why }) => [kind, subject, what, why])).toEqual([
    ['applied', 'users', 'uses another greeting', undefined],
    [
      'refused',
      'greeting.template',
      'of memory "store" is not in use',
      'greeting.template: expected string, received number',
    ],
  ]);
  await config.close();
});
