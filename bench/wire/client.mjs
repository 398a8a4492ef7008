// A client process for run.mjs: client.mjs <kind> <address>. It runs one load for each message and says what came of it.
import { caller } from './peers.mjs';

const [kind, address] = process.argv.slice(2);
const call = caller(kind, address);

async function load({ inFlight, bytes, ms }) {
  const request = { text: 'hello', payload: Buffer.alloc(bytes, 'x') };
  const latencies = [];
  let calls = 0;
  const before = process.cpuUsage();
  const start = performance.now();
  const end = start + ms;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < end) {
        const at = performance.now();
        const response = await call(request);
        if (response.payload.length !== bytes) throw new Error('a wrong answer');
        latencies.push(performance.now() - at);
        calls++;
      }
    }),
  );
  const took = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  latencies.sort((a, b) => a - b);
  return {
    calls,
    perSecond: (calls / took) * 1_000,
    cpu: (user + system) / calls,
    p99: latencies[Math.floor(calls * 0.99)],
  };
}

process.on('message', async (task) => process.send(await load(task)));
process.on('disconnect', () => process.exit());
await load({ inFlight: 16, bytes: 10, ms: 500 });
process.send('ready');
