import { Duplex } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { Outbox } from './outbox.js';

const message = Buffer.from('hello');
let writes: number[];
let outbox: Outbox;

beforeEach(() => {
  writes = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk.length);
      done();
    },
  });
  outbox = new Outbox(socket);
});

const endOfTurn = () => new Promise((resolve) => setImmediate(resolve));
/** One message that ends its stream: a head of nine bytes, a prefix of five, and itself. */
const size = 9 + 5 + message.length;

function send(count: number, ends = true): void {
  for (let id = 1; id <= count; id++) outbox.message(2 * id + 1, message, false, ends);
}

describe('Outbox', () => {
  it('gathers the frames of a turn', async () => {
    send(7);
    expect(writes).toEqual([]);
    await endOfTurn();
    expect(writes).toEqual([7 * size]);
  });

  it('hands over what there is after eight streams, so that the peer can begin', async () => {
    send(20);
    expect(writes).toEqual([8 * size, 8 * size]);
    await endOfTurn();
    expect(writes).toEqual([8 * size, 8 * size, 4 * size]);
    await endOfTurn();
    expect(writes).toHaveLength(3);
  });

  it('counts streams that end, by a message or by trailers, and no other frames', async () => {
    send(20, false);
    for (let id = 1; id <= 8; id++) {
      expect(writes).toEqual([]);
      outbox.headers(2 * id + 1, message, true, 16_384);
    }
    expect(writes).toEqual([20 * size + 8 * (9 + message.length)]);
    await endOfTurn();
  });

  it('begins to count anew with each turn', async () => {
    send(7);
    await endOfTurn();
    send(7);
    expect(writes).toEqual([7 * size]);
    await endOfTurn();
    expect(writes).toEqual([7 * size, 7 * size]);
  });
});
