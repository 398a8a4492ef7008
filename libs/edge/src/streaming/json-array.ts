/** The text of a JSON array of `items`, piece by piece. Where reading them fails, it fails without the closing bracket. */
export async function* jsonArray(items: AsyncIterable<unknown>): AsyncGenerator<string, void, undefined> {
  let before = '[';
  for await (const item of items) {
    yield before + JSON.stringify(item);
    before = ',';
  }
  yield before === '[' ? '[]' : ']';
}
