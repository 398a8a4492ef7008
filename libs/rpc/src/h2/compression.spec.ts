import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EchoServer, echo } from '../testing/echo-server.js';
import { frame, message, RawPeer } from '../testing/raw-peer.js';
import { acceptsGzip, pack } from './grpc/compression.js';
import { Flag, FrameType } from './http2/frames.js';
import { H2Server } from './server/h2-server.js';

describe('packing', () => {
  it('is for messages that are long enough and become shorter by a tenth', () => {
    expect(pack(Buffer.alloc(1_023))).toBeUndefined();
    expect(gunzipSync(pack(Buffer.alloc(1_024, 'a'))!)).toEqual(Buffer.alloc(1_024, 'a'));
    // What is packed already does not become shorter.
    expect(pack(randomBytes(4_096))).toBeUndefined();
  });

  it.each([
    ['gzip', true],
    ['identity, deflate, gzip', true],
    ['identity,deflate', false],
    ['xgzip', false],
    [undefined, false],
  ])('is understood by a peer that accepts %s: %s', (header, expected) => expect(acceptsGzip(header)).toBe(expected));

  it.each([
    ['gzip', ['grpc-accept-encoding', 'identity,gzip'], 1, 'gzip'],
    ['gzip', ['grpc-accept-encoding', 'identity,deflate'], 0, undefined],
    ['gzip', [], 0, undefined],
    ['none', ['grpc-accept-encoding', 'identity,gzip'], 0, undefined],
  ] as const)('%s, for a caller that says %j', async (compression, accept, flag, encoding) => {
    const server = await EchoServer.start((options) => new H2Server({ ...options, compression }));
    onTestFinished(async () => void (await server.server.drain(0)));
    const peer = await RawPeer.to(server.server.port);
    const request = echo.encodeRequest({ text: '', payload: Buffer.alloc(5_000) });
    peer.write(
      frame(FrameType.HEADERS, Flag.END_HEADERS, 1, peer.request(echo.path, [...accept])),
      frame(FrameType.DATA, Flag.END_STREAM, 1, message(request)),
    );
    await expect.poll(() => peer.seen.filter(({ type }) => type === FrameType.HEADERS)).toHaveLength(2);
    const data = Buffer.concat(peer.seen.filter(({ type }) => type === FrameType.DATA).map(({ payload }) => payload));
    expect(data[0]).toBe(flag);
    const fields = peer.fields().get(1)!;
    expect(fields.includes('grpc-encoding') ? fields[fields.indexOf('grpc-encoding') + 1] : undefined).toBe(encoding);
    const body = data.subarray(5);
    expect(echo.decodeResponse(flag === 1 ? gunzipSync(body) : body).payload).toHaveLength(5_000);
  });
});
