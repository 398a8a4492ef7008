import { connect, createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { seededRandom } from '@holdfast/core';
import { EchoServiceDefinition } from '@holdfast/proto/holdfast/testing/v1/echo';
import { openTransport, rpcServer } from '@holdfast/rpc';
import { settlements } from '../../libs/rpc/dist/h2/grpc/settlements.js';
import { methodsOf } from '../../libs/rpc/dist/method.js';

const help = `Mixed load on h2 while connections are cut at random: every call ends once on either side, every answer is its
own, and the heap stays flat.

  --minutes <n>   how long (default: 10)
  --seed <n>      chance (default: 1)
  --help`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});
const [echo, expand, collect, chat] = ['echo', 'expand', 'collect', 'chat'].map((name) =>
  methodsOf(EchoServiceDefinition).find(({ key }) => key === name),
);
const random = seededRandom(Number(values.seed));
const below = (most) => Math.floor(random() * most);

function sumOf(bytes) {
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}

async function serve() {
  const server = rpcServer('h2', { services: [EchoServiceDefinition], compression: 'gzip' });
  const add = (rpc, streaming, handler) => server.addHandler({ service: 'EchoService', rpc, streaming }, handler);
  add('Echo', 'no_stream', async ({ text, payload }) => {
    if (text.startsWith('late')) await new Promise((resolve) => setTimeout(resolve, 20));
    return { text: `${text} ${sumOf(payload)}`, payload };
  });
  add('Expand', 'no_stream', async function* ({ count, size }) {
    for (let index = 0; index < count; index++) yield { index, payload: Buffer.alloc(size, index) };
  });
  add('Collect', 'rx_stream', async (requests) => {
    const texts = [];
    for await (const { text } of requests) texts.push(text);
    return { count: texts.length, texts };
  });
  add('Chat', 'rx_stream', async function* (requests) {
    for await (const { text } of requests) yield { text };
  });
  await new Promise((resolve, reject) => server.listen((error) => (error ? reject(error) : resolve())));
  return server;
}

/** Passes everything on, until it cuts a connection: between two writes, in the middle of a frame, or by silence. */
async function relayTo(port) {
  const pairs = new Set();
  const listener = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    const pair = { near, far };
    pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.on('error', () => undefined);
      from.on('close', () => {
        pairs.delete(pair);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const { near, far } of pairs) {
      if (random() < 0.5) continue;
      if (random() < 0.5) near.resetAndDestroy();
      else far.end();
    }
  };
  return { port: listener.address().port, cut, close: () => (cut(), listener.close()) };
}

const counts = { begun: 0, ok: 0, failed: 0, wrong: 0 };
const codes = new Map();

/** One call of any kind, checked. */
async function one(link) {
  const id = `call ${counts.begun++}`;
  const call = { metadata: {}, deadline: performance.now() + 50 + below(3_000) };
  switch (below(6)) {
    case 0: {
      const texts = Array.from({ length: below(20) }, (_, index) => ({
        text: `${id} ${index}`,
        payload: Buffer.alloc(below(2_000)),
      }));
      let last;
      for await (const response of link.stream(collect, texts, call)) last = response;
      return last.texts.join() === texts.map(({ text }) => text).join();
    }
    case 1: {
      let next = 0;
      let good = true;
      const [count, size] = [below(60), below(20_000)];
      for await (const { index, payload } of link.stream(expand, [{ count, size }], call)) {
        good &&= index === next++ && payload.length === size && (size === 0 || payload[size - 1] === (index & 255));
        if (random() < 0.005) return good;
      }
      return good && next === count;
    }
    case 2: {
      const texts = Array.from({ length: below(20) }, (_, index) => ({ text: `${id} ${index}` }));
      const heard = [];
      for await (const { text } of link.stream(chat, texts, call)) heard.push(text);
      return heard.join() === texts.map(({ text }) => text).join();
    }
    default: {
      const payload = Buffer.alloc(random() < 0.05 ? below(400_000) : below(500), counts.begun);
      const text = random() < 0.1 ? `late ${id}` : id;
      const controller = random() < 0.03 ? new AbortController() : undefined;
      if (controller) setTimeout(() => controller.abort(), below(30));
      const answer = await link.unary(
        echo,
        { text, payload },
        { ...call, ...(controller && { signal: controller.signal }) },
      );
      return answer.text === `${text} ${sumOf(payload)}` && payload.equals(answer.payload);
    }
  }
}

async function main() {
  if (values.help) return console.log(help);
  const server = await serve();
  const relay = await relayTo(server.port);
  const links = Array.from({ length: 3 }, () =>
    openTransport('h2', { compression: 'gzip' }).connect(`127.0.0.1:${relay.port}`),
  );
  const end = performance.now() + Number(values.minutes) * 60_000;
  const cutting = setInterval(() => relay.cut(), 700);
  const heaps = [];
  const heap = () => {
    globalThis.gc?.();
    heaps.push(Math.round(process.memoryUsage().heapUsed / 1e6));
  };
  const sampling = setInterval(heap, Math.max(5_000, (Number(values.minutes) * 60_000) / 20));
  const worker = async () => {
    while (performance.now() < end) {
      try {
        if (await one(links[below(links.length)])) counts.ok++;
        else counts.wrong++;
      } catch (error) {
        counts.failed++;
        const name = error.processed ? `link failure, ${error.processed} processed` : (error.reason ?? String(error));
        codes.set(name, (codes.get(name) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, below(20)));
      }
    }
  };
  await Promise.all(Array.from({ length: 40 }, worker));
  clearInterval(cutting);
  clearInterval(sampling);
  for (const link of links) link.close();
  const { aborted } = await server.drain(2_000);
  relay.close();
  heap();
  console.log(counts, Object.fromEntries(codes), settlements, { heaps, aborted });
  const all = counts.ok + counts.failed + counts.wrong === counts.begun;
  // On both sides of the wire, whatever was cut.
  const once = settlements.begun === settlements.ended && settlements.again === 0;
  const flat = heaps.at(-1) < 2 * heaps[0] + 20;
  const good = all && once && counts.wrong === 0 && aborted === 0 && flat;
  console.log(good ? 'every call ended once, every answer was its own' : 'FAILED');
  process.exitCode = good ? 0 : 1;
}

await main();
