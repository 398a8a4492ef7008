export { ConsoleModule } from './console.module.js';
export type { ConsoleSubject } from './subject.js';
export type { Snapshot } from './snapshot.js';
