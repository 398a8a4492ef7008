export { FakeClock, settle } from './fake-clock.js';
export { eventually, type EventuallyOptions } from './eventually.js';
