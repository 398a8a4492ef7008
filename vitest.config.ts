import { defineConfig } from 'vitest/config';

// `npm test` runs both projects: specs (no process, no socket but loopback in the conformance suites, fake time) and
// promises (real processes). Specs resolve every workspace package to its source, so that one class exists once.
const resolve = { conditions: ['@holdfast/source'] };

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
          name: 'specs',
          // For the specs that Nest's generators write; ours import what they use.
          globals: true,
          include: ['{libs,apps,tools,proto}/**/src/**/*.spec.ts', 'test/*.spec.ts', 'test/issues/*.spec.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'promises',
          include: ['test/promises/*.e2e.ts', 'test/e2e/*.e2e.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
