import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';

/**
 * An HTTP answer that is written while `items` are read, at the pace of whoever reads it: nothing but a few kilobytes is
 * held in between. It waits for the first item, so that a list that cannot be had at all is still answered with a status.
 * If reading fails later, the connection is cut; if the client goes away, `items` is left.
 * @param type the answer's media type
 * @param format turns the items into text
 * @throws what reading the first item throws
 */
export async function streamedAnswer<T>(
  type: string,
  items: AsyncIterableIterator<T>,
  format: (items: AsyncIterable<T>) => AsyncIterable<string>,
): Promise<StreamableFile> {
  const first = await items.next();
  const text = format(startingWith(first, items))[Symbol.asyncIterator]();
  const pieces: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: () => text.next(),
      // The generators in between would wait for the next item before they let go of the source.
      async return() {
        await items.return?.();
        await text.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
  return new StreamableFile(Readable.from(pieces, { objectMode: false }), { type });
}

async function* startingWith<T>(first: IteratorResult<T>, rest: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}
