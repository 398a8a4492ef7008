import { Counter, Gauge, type Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;

/** A metric that is not kept but asked for: at each scrape, `collect` says how everything stands. It costs nothing in between. */
export interface Pulled {
  readonly name: string;
  readonly help: string;
  /** @default none */
  readonly labels?: readonly string[];
  readonly collect: (say: (labels: Labels, value: number) => void) => void;
}

export function pulledGauge(registry: Registry, { name, help, labels = [], collect }: Pulled): void {
  const gauge: Gauge = new Gauge({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      // What is there no more, such as an instance that left, has no line any more.
      gauge.reset();
      collect((values, value) => gauge.set({ ...values }, value));
    },
  });
}

/** What is said for the same labels adds up. Whoever counts does so elsewhere, from the start of the process on. */
export function pulledCounter(registry: Registry, { name, help, labels = [], collect }: Pulled): void {
  const counter: Counter = new Counter({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      counter.reset();
      collect((values, value) => counter.inc({ ...values }, value));
    },
  });
}
