import { createRequire } from 'node:module';

// The compiler, which knows nothing of a supervisor, made to end with it however that ends.
process.once('disconnect', () => process.exit());
createRequire(import.meta.url)('typescript/lib/tsc.js');
