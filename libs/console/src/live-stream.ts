import type { ServerResponse } from 'node:http';
import { ServiceError, Code, type Clock, type Journal, type Timer, type Unsubscribe } from '@holdfast/core';

export interface LiveStreamDeps {
  readonly clock: Clock;
  readonly journal: Journal;
  /** What is there now, as it is shown. */
  readonly snapshot: () => object;
}

/** How often viewers are shown what is there, in milliseconds. */
const EVERY_MS = 1_000;
/** What happens is shown so soon, in milliseconds: what happens together is told together. */
const NEWS_MS = 100;
const MOST_VIEWERS = 16;
/** A viewer that has taken nothing for so long is gone, in milliseconds: a suspended laptop closes no connection. */
const STUCK_MS = 15_000;

interface Viewer {
  readonly response: ServerResponse;
  /** Number of the last journal entry that it was sent. */
  seen: number;
  stuckSince: number | undefined;
}

/**
 * The live page's stream of server-sent events: `state` once a second, whole, and `news` of the journal as it happens. All viewers
 * share one look at the process, nobody looks while nobody views, and who cannot follow is sent less, never a backlog.
 */
export class LiveStream {
  readonly #deps: LiveStreamDeps;
  readonly #viewers = new Set<Viewer>();
  #tick: Timer | undefined;
  #newsDue: Timer | undefined;
  #unsubscribe: Unsubscribe | undefined;
  #closed = false;

  constructor(deps: LiveStreamDeps) {
    this.#deps = deps;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /**
   * Answers with the stream until its reader leaves or {@link close}.
   * @throws ServiceError RESOURCE_EXHAUSTED where there are as many viewers as may be, UNAVAILABLE once closed
   */
  open(response: ServerResponse): void {
    if (this.#closed) throw new ServiceError(Code.UNAVAILABLE, 'The process is closing.');
    if (this.#viewers.size >= MOST_VIEWERS) {
      throw new ServiceError(Code.RESOURCE_EXHAUSTED, `${MOST_VIEWERS} pages watch this process; close one of them.`, {
        retryAfterMs: 10_000,
      });
    }
    const viewer: Viewer = { response, seen: 0, stuckSince: undefined };
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }); // prettier-ignore
    response.on('close', () => this.#drop(viewer));
    // What breaks a connection is followed by `close`; without a listener it would end the process.
    response.on('error', () => undefined);
    response.write(`retry: 1000\n\n${eventOf('state', this.#deps.snapshot())}`);
    this.#tell(viewer, true);
    this.#viewers.add(viewer);
    this.#unsubscribe ??= this.#deps.journal.subscribe(() => this.#newsSoon());
    this.#tick ??= this.#deps.clock.after(EVERY_MS, () => this.#look());
  }

  /** Ends all streams: an answer that never ends would keep the process from closing. */
  close(): void {
    this.#closed = true;
    for (const viewer of this.#viewers) {
      viewer.response.end();
      this.#drop(viewer);
    }
  }

  #look(): void {
    this.#tick = this.#deps.clock.after(EVERY_MS, () => this.#look());
    const text = eventOf('state', this.#deps.snapshot());
    for (const viewer of this.#viewers) {
      if (this.#keepsUp(viewer)) viewer.response.write(text);
    }
  }

  #newsSoon(): void {
    this.#newsDue ??= this.#deps.clock.after(NEWS_MS, () => {
      this.#newsDue = undefined;
      for (const viewer of this.#viewers) if (this.#keepsUp(viewer)) this.#tell(viewer);
    });
  }

  /** @param whole whether it is all that the viewer has, in place of what it may have had before */
  #tell(viewer: Viewer, whole = false): void {
    const entries = this.#deps.journal.recent(viewer.seen);
    if (entries.length === 0 && !whole) return;
    viewer.seen = entries.at(-1)?.number ?? 0;
    viewer.response.write(eventOf('news', { whole, entries }));
  }

  /** Whether it has taken what it was sent; one that takes nothing for long is dropped. */
  #keepsUp(viewer: Viewer): boolean {
    if (!viewer.response.writableNeedDrain) {
      viewer.stuckSince = undefined;
      return true;
    }
    const now = this.#deps.clock.now();
    viewer.stuckSince ??= now;
    if (now - viewer.stuckSince >= STUCK_MS) viewer.response.destroy();
    return false;
  }

  #drop(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    this.#tick?.cancel();
    this.#newsDue?.cancel();
    this.#unsubscribe?.();
    this.#tick = this.#newsDue = this.#unsubscribe = undefined;
  }
}

function eventOf(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
