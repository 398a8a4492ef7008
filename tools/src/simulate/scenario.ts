import type { Behaviour } from './server.js';

/** One situation that balancers are compared in. */
export interface Scenario {
  readonly name: string;
  /** What happens, for a reader. */
  readonly what: string;
  readonly instances: number;
  /** Offered load as a share of what all healthy servers can do. */
  readonly load: number;
  readonly seconds: number;
  /** When the trouble begins and ends, in seconds. */
  readonly trouble: readonly [from: number, to: number];
  /** Which servers are the odd ones. @default none */
  readonly odd?: (index: number, count: number) => boolean;
  /** How an odd server behaves `second` seconds into the run. @default as usual */
  readonly oddly?: (second: number) => Behaviour;
  /** How every server behaves. @default as usual */
  readonly all?: (second: number) => Behaviour;
  /** What the server takes for each call, as a multiple of the others. @default 1 */
  readonly speed?: (index: number, count: number) => number;
  /** Whether odd servers join only when the trouble begins. @default false */
  readonly joins?: boolean;
  /** Into how many zones servers and clients are divided; a call to another takes 8 ms longer. @default 1 */
  readonly zones?: number;
}

const first = (index: number) => index === 0;
const within = (second: number, [from, to]: Scenario['trouble']) => second >= from && second < to;
const trouble = [10, 40] as const;
const during = (behaviour: Behaviour) => (second: number) => (within(second, trouble) ? behaviour : {});

const failing = (instances: number, load: number): Scenario => ({
  name: `failing-${instances}`,
  what: `one of ${instances} answers with errors after 1 ms, for 30 s, and says that it is well`,
  instances,
  load,
  seconds: 70,
  trouble,
  odd: first,
  oddly: during({ failing: true }),
});

/** Every situation there is, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  { name: 'healthy', what: 'all are well', instances: 10, load: 0.6, seconds: 60, trouble: [5, 60] },
  {
    name: 'speeds',
    what: 'half at full speed, a quarter at half, a quarter at a quarter of it',
    instances: 12,
    load: 0.4,
    seconds: 60,
    trouble: [5, 60],
    odd: (index, count) => index >= (count * 3) / 4,
    speed: (index, count) => (index < count / 2 ? 1 : index < (count * 3) / 4 ? 2 : 4),
  },
  {
    name: 'slow',
    what: 'one of 10 takes ten times as long, for 30 s',
    instances: 10,
    load: 0.5,
    seconds: 70,
    trouble,
    odd: first,
    oddly: during({ slowness: 10 }),
  },
  {
    name: 'hung',
    what: 'one of 10 accepts and never answers, for 30 s',
    instances: 10,
    load: 0.5,
    seconds: 70,
    trouble,
    odd: first,
    oddly: during({ hung: true }),
  },
  failing(2, 0.3),
  failing(3, 0.4),
  failing(10, 0.5),
  {
    name: 'flapping',
    what: 'one of 10 fails for 3 s, is well for 3 s, and so on, for 30 s',
    instances: 10,
    load: 0.5,
    seconds: 70,
    trouble,
    odd: first,
    oddly: (second) => ({ failing: within(second, trouble) && Math.floor((second - trouble[0]) / 3) % 2 === 0 }),
  },
  {
    name: 'cold-start',
    what: 'one joins nine, and is five times as slow as they are at first, full speed after 10 s',
    instances: 10,
    load: 0.5,
    seconds: 50,
    trouble: [10, 20],
    odd: first,
    oddly: (second) => ({ slowness: Math.max(1, 5 - 0.4 * Math.max(0, second - 10)) }),
    joins: true,
  },
  {
    name: 'zone-loss',
    what: 'two zones of 6, 8 ms apart; all servers of one hang for 30 s',
    instances: 12,
    load: 0.35,
    seconds: 70,
    trouble,
    odd: (index, count) => index < count / 2,
    oddly: during({ hung: true }),
    zones: 2,
  },
  {
    name: 'all-slow',
    what: 'all take twice as long, for 30 s',
    instances: 10,
    load: 0.4,
    seconds: 70,
    trouble,
    all: during({ slowness: 2 }),
  },
];
