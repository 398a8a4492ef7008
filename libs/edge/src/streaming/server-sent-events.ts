import { systemClock, type Clock, type Timer } from '@holdfast/core';
import { problemOf } from '../problem.js';

/** How long nothing may be written, in milliseconds: proxies and the edge itself close connections that seem dead. */
const BEAT_MS = 15_000;
/** A comment, which clients skip. */
const BEAT = ':\n\n';

/**
 * `items` as server-sent events named `name`. The last event is `end` where all of them were sent, and `error`, with the
 * problem as RFC 9457 has it, where reading them failed: an event stream that just stops would make browsers start over.
 * While there is nothing to send, a comment every 15 s shows that the stream lives.
 */
export async function* serverSentEvents(
  name: string,
  items: AsyncIterable<unknown>,
  clock: Clock = systemClock,
): AsyncGenerator<string, void, undefined> {
  const source = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = source.next();
      while (!(await soon(next, clock))) yield BEAT;
      const { done, value } = await next;
      if (done) break;
      yield eventOf(name, value);
    }
    yield eventOf('end', {});
  } catch (error) {
    yield eventOf('error', problemOf(error));
  } finally {
    await source.return?.();
  }
}

/** Whether `next` has settled before the next beat is due. */
async function soon(next: Promise<unknown>, clock: Clock): Promise<boolean> {
  let timer: Timer | undefined;
  const beat = new Promise<false>((resolve) => (timer = clock.after(BEAT_MS, () => resolve(false))));
  const settled = next.then(
    () => true,
    () => true,
  );
  const first = await Promise.race([settled, beat]);
  timer?.cancel();
  return first;
}

function eventOf(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
