import type { Clock, Timer } from '@holdfast/core';

/** How a server treats calls at some moment. */
export interface Behaviour {
  /** What it takes for a call, as a multiple of what it usually takes. @default 1 */
  readonly slowness?: number;
  /** Accepts and never answers, health checks included: a stopped process. @default false */
  readonly hung?: boolean;
  /** Answers calls with errors after 1 ms, but says that it is well. @default false */
  readonly failing?: boolean;
}

/** How a call ended on the server. */
export type Ending = 'ok' | 'error';

interface Work {
  readonly serviceMs: number;
  readonly finish: (ending: Ending) => void;
  timer: Timer | undefined;
  cancelled: boolean;
}

const ERROR_MS = 1;

/** A server that works on a few calls at a time and lets the others wait in line. */
export class Server {
  readonly index: number;
  readonly zone: string | undefined;
  behaviour: Behaviour = {};
  picks = 0;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #line: Work[] = [];
  #running = 0;

  constructor(index: number, zone: string | undefined, limit: number, clock: Clock) {
    this.index = index;
    this.zone = zone;
    this.#limit = limit;
    this.#clock = clock;
  }

  get address(): string {
    return `10.0.${this.index >> 8}.${this.index & 255}:80`;
  }

  /** Takes a call that needs `serviceMs` of a healthy server. Returns how to cancel it. */
  take(serviceMs: number, finish: (ending: Ending) => void): () => void {
    this.picks++;
    const work: Work = { serviceMs, finish, timer: undefined, cancelled: false };
    if (this.#running < this.#limit || this.behaviour.failing) this.#start(work);
    else this.#line.push(work);
    return () => this.#cancel(work);
  }

  /** Whether a health check gets the answer that all is well. */
  get saysItIsWell(): boolean {
    return this.behaviour.hung !== true;
  }

  #start(work: Work): void {
    const { failing = false, hung = false, slowness = 1 } = this.behaviour;
    this.#running++;
    // What hangs holds its place until the caller gives up.
    const ms = failing ? ERROR_MS : hung ? Infinity : work.serviceMs * slowness;
    if (ms === Infinity) return;
    work.timer = this.#clock.after(ms, () => {
      work.timer = undefined;
      this.#leave();
      work.finish(failing ? 'error' : 'ok');
    });
  }

  #cancel(work: Work): void {
    work.cancelled = true;
    const waiting = this.#line.indexOf(work);
    if (waiting >= 0) {
      this.#line.splice(waiting, 1);
      return;
    }
    work.timer?.cancel();
    this.#leave();
  }

  #leave(): void {
    this.#running--;
    while (this.#running < this.#limit) {
      const next = this.#line.shift();
      if (!next) return;
      this.#start(next);
    }
  }
}
