import { problemOf } from '@holdfast/service';

/**
 * `items` as server-sent events named `name`. The last event is `end` where all of them were sent, and `error`, with the
 * problem as RFC 9457 has it, where reading them failed: an event stream that just stops would make browsers start over.
 */
export async function* serverSentEvents(
  name: string,
  items: AsyncIterable<unknown>,
): AsyncGenerator<string, void, undefined> {
  try {
    for await (const item of items) yield eventOf(name, item);
    yield eventOf('end', {});
  } catch (error) {
    yield eventOf('error', problemOf(error));
  }
}

function eventOf(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
