// Others that speak HTTP/2 and gRPC, against both sides of the transport h2: `npm run interop`.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Metadata } from '@grpc/grpc-js';
import { ServiceError } from '@holdfast/core';
import { EchoServiceDefinition } from '@holdfast/proto/holdfast/testing/v1/echo';
import { openTransport, rpcServer } from '@holdfast/rpc';
import { methodsOf } from '../../libs/rpc/dist/method.js';

const bin = (name) => fileURLToPath(new URL(`../../.backends/bin/${name}`, import.meta.url));
const script = fileURLToPath(new URL('grpc_python.py', import.meta.url));
const run = promisify(execFile);
const [echo, expand, collect, chat] = ['echo', 'expand', 'collect', 'chat'].map((name) =>
  methodsOf(EchoServiceDefinition).find(({ key }) => key === name),
);
const closing = [];
const maxMessageBytes = 8 * 1024 * 1024;
const special = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
let failed = 0;

function report(name, good, detail = '') {
  console.log(`${good ? 'ok    ' : 'FAILED'} ${name}${good ? '' : `: ${detail}`}`);
  if (!good) failed++;
}

/** Runs a case that throws where it fails. */
async function attempt(name, task) {
  try {
    await task();
    report(name, true);
  } catch (error) {
    report(name, false, error instanceof Error ? error.message.slice(0, 500) : String(error));
  }
}

function expect(good, what) {
  if (!good) throw new Error(what);
}

const handlers = {
  async echo(request, metadata, call) {
    if (request.text === 'fail') throw new ServiceError(5, 'schön 100 %');
    if (request.text === 'special') throw new ServiceError(2, special);
    if (request.text === 'bug') throw new ServiceError(13, 'Internal error');
    if (request.text === 'sleep') await new Promise((resolve) => setTimeout(resolve, 1_000));
    const bytes = metadata.get('x-bytes-bin')[0];
    if (bytes) {
      const header = new Metadata();
      header.set('x-back-bin', bytes);
      call.sendMetadata(header);
    }
    return request;
  },
  async *expand({ count, size }) {
    for (let index = 0; index < count; index++) yield { index, payload: new Uint8Array(size) };
  },
  async collect(requests) {
    const texts = [];
    for await (const { text } of requests) texts.push(text);
    return { count: texts.length, texts };
  },
  async *chat(requests) {
    for await (const { text } of requests) yield { text };
  },
};

async function serve() {
  const server = rpcServer('h2', { services: [EchoServiceDefinition], maxMessageBytes, compression: 'gzip' });
  for (const [rpc, streaming] of [
    ['Echo', 'no_stream'],
    ['Expand', 'no_stream'],
    ['Collect', 'rx_stream'],
    ['Chat', 'rx_stream'],
  ]) {
    server.addHandler({ service: 'EchoService', rpc, streaming }, handlers[rpc.toLowerCase()]);
  }
  await new Promise((resolve, reject) => server.listen((error) => (error ? reject(error) : resolve())));
  closing.push(() => server.drain(0));
  return server.port;
}

function freePort() {
  return new Promise((resolve) => {
    const listener = createServer();
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

function start(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  closing.push(() => child.kill());
  return child;
}

function link(port, compression) {
  const made = openTransport('h2', { maxMessageBytes, compression }).connect(`127.0.0.1:${port}`);
  closing.push(() => made.close());
  return made;
}

const call = (fields = {}) => ({ metadata: {}, deadline: performance.now() + 10_000, ...fields });
const nothing = new Uint8Array();

async function all(responses) {
  const result = [];
  for await (const response of responses) result.push(response);
  return result;
}

/** Calls `to`, which must come up first. */
async function ready(to) {
  for (let tries = 0; tries < 100; tries++) {
    to.connect();
    if (to.state.value === 'ready') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not come up');
}

async function callAll(name, port) {
  const to = link(port);
  await ready(to);
  await attempt(`${name}: unary`, async () =>
    expect((await to.unary(echo, { text: 'hello', payload: nothing }, call())).text === 'hello', 'another text'),
  );
  await attempt(`${name}: 1 MB`, async () => {
    const payload = Buffer.alloc(1_048_576, 'holdfast');
    expect(payload.equals((await to.unary(echo, { text: '', payload }, call())).payload), 'another payload');
  });
  await attempt(`${name}: 500 at a time`, async () => {
    const texts = Array.from({ length: 500 }, (_, index) => `call ${index}`);
    const answers = await Promise.all(texts.map((text) => to.unary(echo, { text, payload: nothing }, call())));
    expect(
      answers.every(({ text }, index) => text === texts[index]),
      'mixed up',
    );
  });
  if (name.includes('nghttpd')) return;
  await attempt(`${name}: 300 KB, gzip`, async () => {
    const packing = link(port, 'gzip');
    const payload = Buffer.alloc(300_000, 'holdfast');
    for (let round = 0; round < 3; round++) {
      const answer = await packing.unary(echo, { text: `${round}`, payload }, call());
      expect(payload.equals(answer.payload), 'another payload');
    }
  });
  await attempt(`${name}: server streaming`, async () =>
    expect((await all(to.stream(expand, [{ count: 100, size: 1_000 }], call()))).length === 100, 'not 100'),
  );
  const texts = Array.from({ length: 50 }, (_, index) => ({ text: `${index}`, payload: nothing }));
  await attempt(`${name}: client streaming`, async () =>
    expect((await all(to.stream(collect, texts, call())))[0].count === 50, 'not 50'),
  );
  await attempt(`${name}: both ways`, async () => {
    const heard = await all(
      to.stream(
        chat,
        texts.map(({ text }) => ({ text })),
        call(),
      ),
    );
    expect(heard.map(({ text }) => text).join() === texts.map(({ text }) => text).join(), 'mixed up');
  });
  await attempt(`${name}: status`, async () => {
    const error = await to.unary(echo, { text: 'fail', payload: nothing }, call()).then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error?.code === 5 && error.message === 'schön 100 %', String(error));
  });
  await attempt(`${name}: deadline`, async () => {
    const error = await to
      .unary(echo, { text: 'sleep', payload: nothing }, call({ deadline: performance.now() + 100 }))
      .then(
        () => undefined,
        (thrown) => thrown,
      );
    expect(error?.code === 4, String(error));
  });
}

async function main() {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-interop-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const port = await serve();
  const address = `127.0.0.1:${port}`;
  const body = join(folder, 'body');
  const message = echo.encodeRequest({ text: 'hello', payload: nothing });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  await writeFile(body, Buffer.concat([prefix, message]));
  const asGrpc = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];

  for (const [name, extra] of [
    ['plain', []],
    ['with padding', ['--padding=100']],
    ['with a small window', ['--window-bits=2', '--connection-window-bits=2']],
    ['with a small header table', ['--header-table-size=64']],
    ['with headers that it flips', ['--hexdump', '-m', '20']],
  ]) {
    await attempt(`nghttp, ${name}`, async () => {
      const { stdout } = await run(
        bin('nghttp'),
        ['-v', '--no-dep', '-d', body, ...asGrpc, ...extra, `http://${address}${echo.path}`],
        { timeout: 10_000 },
      );
      expect(stdout.includes('grpc-status: 0') && !stdout.includes('RST_STREAM'), stdout.slice(-500));
    });
  }
  await attempt('nghttp, with more headers than are taken, in CONTINUATION frames, is told so', async () => {
    const args = ['-v', '--no-dep', '--continuation', '-d', body, ...asGrpc, `http://${address}${echo.path}`];
    const { stdout } = await run(bin('nghttp'), args, { timeout: 10_000 });
    expect(stdout.includes('ENHANCE_YOUR_CALM'), stdout.slice(-500));
  });
  await attempt('h2load, 20,000 calls', async () => {
    const { stdout } = await run(
      bin('h2load'),
      ['-n', '20000', '-c', '4', '-m', '32', '-d', body, ...asGrpc, `http://${address}${echo.path}`],
      { timeout: 60_000 },
    );
    expect(/20000 succeeded, 0 failed, 0 errored, 0 timeout/.test(stdout), stdout);
    console.log(`       ${/finished in .*/.exec(stdout)?.[0]}`);
  });

  const echoing = await freePort();
  start(bin('nghttpd'), ['--no-tls', '--echo-upload', '--trailer=grpc-status: 0', String(echoing)]);
  await callAll('nghttpd', echoing);

  const proxied = await freePort();
  const config = join(folder, 'haproxy.cfg');
  const timeouts = 'timeout connect 5s\n timeout client 30s\n timeout server 30s';
  await writeFile(
    config,
    `defaults\n mode http\n ${timeouts}\nfrontend f\n bind 127.0.0.1:${proxied} proto h2\n default_backend b\nbackend b\n server s ${address} proto h2\n`,
  );
  start(bin('haproxy'), ['-f', config]);
  await callAll('through haproxy', proxied);

  for (const [name, command, ...args] of [
    ['gRPC C core', bin('grpc-python'), script],
    ['grpc-go', bin('grpc-go')],
  ]) {
    const peer = start(command, [...args, 'server']);
    const served = await new Promise((resolve) =>
      createInterface(peer.stdout).once('line', (line) => resolve(Number(line.split(' ')[1]))),
    );
    await callAll(`${name} serving`, served);
    await attempt(`${name} calling`, async () => {
      const { stdout } = await run(command, [...args, 'client', address], { timeout: 60_000 });
      for (const line of stdout.trim().split('\n')) console.log(`       ${line}`);
      expect(!stdout.includes('FAILED') && stdout.includes('ok still there'), stdout);
    });
  }
}

try {
  await main();
} finally {
  for (const close of closing.toReversed()) await close();
}
console.log(failed === 0 ? '\nall of them understand us' : `\n${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
