import * as http2 from 'node:http2';
import { Duplex } from 'node:stream';
import { seededRandom } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '../http2/frame-reader.js';
import { FrameType } from '../http2/frames.js';
import { HpackDecoder } from './hpack-decoder.js';
import { HpackEncoder } from './hpack-encoder.js';
import { HpackError } from './hpack-error.js';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const decoder = () => new HpackDecoder(16_384);
const get = (path: string, authority: string, ...more: string[]) => [
  ':method',
  'GET',
  ':scheme',
  more.includes('custom-key') ? 'https' : 'http',
  ':path',
  path,
  ':authority',
  authority,
  ...more,
];
const requests = [
  get('/', 'www.example.com'),
  get('/', 'www.example.com', 'cache-control', 'no-cache'),
  get('/index.html', 'www.example.com', 'custom-key', 'custom-value'),
];

describe('RFC 7541, Appendix C', () => {
  it('C.2: single fields', () => {
    const custom = bytes('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572');
    expect(decoder().decode(custom)).toEqual(['custom-key', 'custom-header']);
    expect(decoder().decode(bytes('040c 2f73 616d 706c 652f 7061 7468'))).toEqual([':path', '/sample/path']);
    const never = bytes('1008 7061 7373 776f 7264 0673 6563 7265 74');
    expect(decoder().decode(never)).toEqual(['password', 'secret']);
    expect(decoder().decode(bytes('82'))).toEqual([':method', 'GET']);

    const encoder = new HpackEncoder();
    const written = (write: () => void) => (encoder.begin(), write(), Buffer.from(encoder.end()));
    expect(written(() => encoder.stable('custom-key', 'custom-header'))).toEqual(custom);
    expect(written(() => encoder.secret('password', 'secret'))).toEqual(never);
    expect(written(() => encoder.stable(':method', 'GET'))).toEqual(bytes('82'));
  });

  const plain = [
    '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '8286 84be 5808 6e6f 2d63 6163 6865',
    '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
  ];

  it('C.3: requests, read and written', () => {
    const reading = decoder();
    expect(plain.map((block) => reading.decode(bytes(block)))).toEqual(requests);
    const encoder = new HpackEncoder();
    const blocks = requests.map((fields) => {
      encoder.begin();
      for (let at = 0; at < fields.length; at += 2) encoder.stable(fields[at]!, fields[at + 1]!);
      return encoder.end().toString('hex');
    });
    expect(blocks).toEqual(plain.map((block) => block.replaceAll(' ', '')));
  });

  it('C.4: requests by Huffman’s code', () => {
    const reading = decoder();
    const blocks = [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ];
    expect(blocks.map((block) => reading.decode(bytes(block)))).toEqual(requests);
  });

  // The appendix's responses need a table of 256 bytes, so that entries are evicted.
  const small = '3fe1 01';
  const location = 'https://www.example.com';
  const date = 'Mon, 21 Oct 2013 20:13:21 GMT';
  const responses = [
    [':status', '302', 'cache-control', 'private', 'date', date, 'location', location],
    [':status', '307', 'cache-control', 'private', 'date', date, 'location', location],
    [
      ...[':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT', 'location', location],
      ...['content-encoding', 'gzip', 'set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
    ],
  ];

  it('C.5: responses, with eviction', () => {
    const reading = decoder();
    const blocks = [
      `${small} 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
    ];
    expect(blocks.map((block) => reading.decode(bytes(block)))).toEqual(responses);
  });

  it('C.6: responses by Huffman’s code, with eviction', () => {
    const reading = decoder();
    const blocks = [
      `${small} 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    ];
    expect(blocks.map((block) => reading.decode(bytes(block)))).toEqual(responses);
  });
});

describe('a header block that is refused', () => {
  it.each([
    ['an index that is not there', 'be'],
    ['index zero', '80'],
    ['an integer without an end', 'ffffffffffffffff'],
    ['a string longer than its block', '4003 6162'],
    ['a block that ends early', '40'],
    ['a table larger than agreed', '3fe2 1f'],
    ['a change of the table’s size after a field', '82 20'],
    ['three changes of the table’s size', '20 20 20 82'],
    ['the end-of-string mark in a string', '4084 ffff fffc 00'],
    ['a string padded with zeros', '4081 1000'],
    ['a string padded with a whole byte', '4082 1fff 00'],
  ])('%s', (_, block) => {
    expect(() => decoder().decode(bytes(block))).toThrow(HpackError);
  });

  it('a bomb: little that stands for much is counted, not kept', () => {
    const reading = new HpackDecoder(16_384);
    const value = Buffer.alloc(3_000, 'a');
    const bomb = Buffer.concat([bytes('4001 62 7f b9 16'), value, Buffer.alloc(16_000, 0xbe)]);
    const fields = reading.decode(bomb);
    expect(reading.tooLarge).toBe(true);
    expect(fields.join('').length).toBeLessThan(16_384);
    // The table is what the peer thinks it is, and the next block is read.
    expect(reading.decode(bytes('be'))).toEqual(['b', value.toString()]);
    expect(reading.tooLarge).toBe(false);
  });
});

/** One end of a pair of streams: what it is written, the other reads. */
function end(other: () => Duplex): Duplex {
  return new Duplex({
    read: () => undefined,
    write: (chunk, _, done) => (other().push(chunk), done()),
    final: (done) => (other().push(null), done()),
  });
}

function pipe(): [Duplex, Duplex] {
  const near: Duplex = end(() => far);
  const far: Duplex = end(() => near);
  return [near, far];
}

const alphabet = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');

/** Lists as calls have them: names that come again, values that do and values that do not. */
function randomList(random: () => number): string[] {
  const pick = (below: number) => Math.floor(random() * below);
  const text = (length: number) => Array.from({ length }, () => alphabet[1 + pick(94)]).join('');
  const fields: string[] = [];
  for (let count = pick(8); count > 0; count--) {
    const name = pick(3) === 0 ? `x-${pick(40)}` : ['grpc-timeout', 'traceparent', 'accept', 'x-request-id'][pick(4)]!;
    if (!fields.includes(name)) fields.push(name, pick(2) === 0 ? `v${pick(5)}` : text(pick(60) + 1));
  }
  return fields;
}

/** How many lists each way; `HPACK_LISTS=100000` for the whole. */
const lists = Number(process.env['HPACK_LISTS'] ?? 5_000);

describe('against node:http2', () => {
  it(`reads what it writes, ${lists} random lists`, { timeout: 300_000 }, async () => {
    const random = seededRandom(7541);
    const [near, far] = pipe();
    const client = http2.connect('http://peer', { createConnection: () => near });
    client.on('error', () => undefined);
    const expected: string[][] = [];
    let compared = 0;
    const reading = decoder();
    let preface = 24;
    const reader = new FrameReader(16_384, (type, _flags, _id, payload) => {
      if (type !== FrameType.HEADERS) return;
      const fields = reading.decode(payload);
      const own = fields.slice(8);
      expect(own).toEqual(expected[compared++]);
    });
    far.on('data', (chunk: Buffer) => {
      const skipped = Math.min(preface, chunk.length);
      preface -= skipped;
      reader.push(chunk.subarray(skipped));
    });
    far.write(bytes('000000 04 00 00000000'));
    for (let sent = 0; sent < lists; sent++) {
      const fields = randomList(random);
      expected.push(fields);
      const headers: Record<string, string> = { ':path': '/' };
      for (let at = 0; at < fields.length; at += 2) headers[fields[at]!] = fields[at + 1]!;
      const stream = client.request(headers, { endStream: true });
      stream.on('error', () => undefined);
      // The stream need not wait for an answer that never comes.
      const id = Buffer.alloc(4);
      id.writeUInt32BE(2 * sent + 1);
      await new Promise((resolve) => setImmediate(resolve));
      far.write(Buffer.concat([bytes('000004 03 00'), id, bytes('00000000')]));
    }
    await expect.poll(() => compared).toBe(lists);
    client.destroy();
  });

  it(`writes what it reads, ${lists} random lists`, { timeout: 300_000 }, async () => {
    const random = seededRandom(9113);
    const [near, far] = pipe();
    const session = http2.performServerHandshake(far as never);
    session.on('error', () => undefined);
    const expected: string[][] = [];
    let compared = 0;
    session.on('stream', (stream: http2.ServerHttp2Stream, _headers: unknown, _flags: unknown, raw: string[]) => {
      expect(raw.slice(8)).toEqual(expected[compared++]);
      stream.on('error', () => undefined);
      stream.respond({}, { endStream: true });
    });
    const encoder = new HpackEncoder();
    near.on('data', () => undefined);
    near.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), bytes('000000 04 00 00000000')]));
    for (let sent = 0; sent < lists; sent++) {
      const fields = randomList(random);
      expected.push(fields);
      if (random() < 0.001) encoder.resize(Math.floor(random() * 4_096));
      encoder.begin();
      for (const field of [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'peer'],
      ])
        encoder.stable(field[0]!, field[1]!);
      for (let at = 0; at < fields.length; at += 2) {
        const way = (['stable', 'varying', 'secret'] as const)[Math.floor(random() * 3)]!;
        encoder[way](fields[at]!, fields[at + 1]!);
      }
      const block = encoder.end();
      const head = Buffer.alloc(9);
      head.writeUIntBE(block.length, 0, 3);
      head[3] = FrameType.HEADERS;
      head[4] = 0x5;
      head.writeUInt32BE(2 * sent + 1, 5);
      near.write(Buffer.concat([head, block]));
      if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => compared).toBe(lists);
    session.destroy();
  });
});
