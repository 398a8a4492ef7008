import { forwardRef, Inject, Injectable, Logger, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Live } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configKey } from './config-key.js';
import { Config } from './config.js';
import { MemoryDriver } from './drivers/memory.js';
import { configKeyOf, InjectConfig, LiveConfigModule } from './live-config.module.js';

const greeting = configKey('greeting', z.object({ template: z.string().default('Hello') }));
const limits = configKey('limits', z.object({ size: z.number().default(1) }), { size: 2 });

@Injectable()
class Greeter {
  constructor(@InjectConfig(greeting) readonly words: Live<z.infer<typeof greeting.schema>>) {}
}

@Injectable()
class Counter {
  constructor(
    @InjectConfig(greeting) readonly words: Live<{ template: string }>,
    @InjectConfig(limits) readonly bounds: Live<{ size: number }>,
    @Inject(Config) readonly config: Config,
  ) {}
}

@Module({
  imports: [LiveConfigModule.forFeature(greeting, limits), forwardRef(() => GreeterModule)],
  providers: [Counter],
})
class CounterModule {}

@Module({ imports: [LiveConfigModule.forFeature(greeting), CounterModule], providers: [Greeter] })
class GreeterModule {}

describe('LiveConfigModule', () => {
  let clock: FakeClock;
  let driver: MemoryDriver;
  let config: Config;

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = new FakeClock();
    driver = new MemoryDriver('nest', { clock });
    config = new Config('users', [driver], { clock });
  });
  afterEach(() => config.close());

  it('injects live values, one cell for all modules of a key, and closes the config with the app', async () => {
    driver.store.write('users', new Map([['', 'greeting: { template: Servus }\nodd: 1']]), '0');
    await config.start();
    const app = await Test.createTestingModule({ imports: [LiveConfigModule.of(config), GreeterModule] }).compile();
    const [greeter, counter] = [app.get(Greeter, { strict: false }), app.get(Counter, { strict: false })];
    expect(greeter.words).toBe(counter.words);
    expect(greeter.words.value).toEqual({ template: 'Servus' });
    expect(counter.bounds.value).toEqual({ size: 2 });
    expect(config.status.value.unclaimed).toEqual([]);
    await app.init();
    expect(config.status.value.unclaimed).toEqual(['odd']);
    driver.store.write('users', new Map([['greeting.template', 'Hi']]), driver.store.read('users').cursor);
    await clock.advance(50);
    expect(greeter.words.value).toEqual({ template: 'Hi' });
    await app.close();
    expect(clock.pending).toBe(0);
    await expect(driver.read('users', undefined, new AbortController().signal)).rejects.toThrow('closed');
  });

  it('tells the key of a provider without making anything', () => {
    const { providers = [] } = LiveConfigModule.forFeature(greeting, limits);
    expect(providers.map((provider) => configKeyOf(provider))).toEqual([greeting, limits]);
    const [root] = LiveConfigModule.of(config).providers ?? [];
    expect(configKeyOf(root!)).toBeUndefined();
  });
});
