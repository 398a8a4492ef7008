import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// The specs of libs/resilience alone, against the mutated copy that they run in: the link in node_modules leads to the
// sources that nobody changed.
const root = join(import.meta.dirname, '../..');
const resolve = {
  conditions: ['@holdfast/source'],
  alias: { '@holdfast/resilience': join(root, 'libs/resilience/src/index.ts') },
};

export default defineConfig({
  root,
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve,
  ssr: { resolve },
  // Nothing is left behind by a spec, so the modules need to be loaded only once for each mutant.
  test: {
    isolate: false,
    include: ['libs/resilience/src/**/*.spec.ts', 'test/issues/*.spec.ts'],
    // Many a mutant makes a spec wait for an answer that never comes; on a fake clock, all others take milliseconds.
    testTimeout: 2_000,
    env: { PROPERTY_RUNS: '0.2' },
    setupFiles: ['test/mutation/setup.ts'],
  },
});
