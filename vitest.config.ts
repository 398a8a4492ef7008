import { defineConfig } from 'vitest/config';

// `npm test` runs three projects, one after the other. Specs resolve every workspace package to its source, so that one
// class exists once.
const resolve = { conditions: ['@holdfast/source'] };

/** Real processes take their time. */
const patience = { testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  // Nest's decorators, in specs too: those are not part of the tsconfigs that say so for the sources.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve,
  ssr: { resolve },
  test: {
    projects: [
      {
        extends: true,
        test: {
          // No process but registries and stores, no socket but loopback, fake time.
          name: 'specs',
          // For the specs that Nest's generators write; ours import what they use.
          globals: true,
          include: ['{libs,apps,tools,proto}/**/src/**/*.spec.ts', 'test/*.spec.ts', 'test/issues/*.spec.ts'],
          // On a busy machine a property of some thousand runs takes its time.
          testTimeout: 20_000,
          // Most of their time they would load the same modules again.
          isolate: false,
          // Those that talk to a real store only wait.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          // What people run and look at: the apps, the tools, the page, images and manifests.
          name: 'e2e',
          include: ['test/e2e/*.e2e.ts'],
          ...patience,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          // What is guaranteed, by the clock: one at a time, so that none is late for another's sake.
          name: 'promises',
          include: ['test/promises/*.e2e.ts'],
          ...patience,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
