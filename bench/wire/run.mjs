import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine, median, save } from '../record.mjs';

const help = `What one call costs over each transport, each pair in turn with the others. Plain is grpc-js as anybody uses it.

  --node <path>   measure with this Node binary (default: this one)
  --rounds <n>    rounds of each load (default: 5)
  --ms <n>        length of each load (default: 2000)
  --only <pair>   one pair, such as h2-h2
  --quick         one short round: to see that it runs, not to quote
  --help`;

const pairs = ['plain-plain', 'grpc-js-grpc-js', 'h2-plain', 'plain-h2', 'h2-h2'];
const loads = [
  { name: '1 in flight', inFlight: 1, bytes: 10 },
  { name: '16 in flight', inFlight: 16, bytes: 10 },
  { name: '64 in flight', inFlight: 64, bytes: 10 },
  { name: '1,000 in flight', inFlight: 1_000, bytes: 10 },
  { name: '1 MB, 4 in flight', inFlight: 4, bytes: 1_048_576 },
];

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '2000' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function start(script, args) {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), args, { execPath: values.node });
  const [first] = await once(child, 'message');
  return { child, first };
}

async function ask(child, message) {
  child.send(message);
  const [answer] = await once(child, 'message');
  return answer;
}

async function open(pair) {
  // `grpc-js` has a dash of its own.
  const [client, server] = /^(plain|h2|grpc-js)-(plain|h2|grpc-js)$/.exec(pair).slice(1);
  const serving = await start('server.mjs', [server]);
  const calling = await start('client.mjs', [client, `127.0.0.1:${serving.first.port}`]);
  return { pair, server: serving.child, client: calling.child };
}

async function sample({ server, client }, load) {
  const before = await ask(server, 'cpu');
  const result = await ask(client, load);
  const after = await ask(server, 'cpu');
  return { ...result, serverCpu: (after.cpu - before.cpu) / result.calls };
}

async function main() {
  if (values.help) return console.log(help);
  const rounds = values.quick ? 1 : Number(values.rounds);
  const ms = values.quick ? 300 : Number(values.ms);
  const { version, about } = machine(values.node);
  console.log(`${about}, medians of ${rounds} rounds of ${ms} ms`);
  const fleet = [];
  for (const pair of values.only ? [values.only] : pairs) fleet.push(await open(pair));
  const results = {};
  for (const load of loads) {
    const samples = new Map(fleet.map(({ pair }) => [pair, []]));
    for (let round = 0; round < rounds; round++) {
      for (const one of fleet) samples.get(one.pair).push(await sample(one, { ...load, ms }));
    }
    console.log(`\n${load.name}\n  client-server       calls/s    ratio   client µs   server µs   p99 ms`);
    results[load.name] = {};
    for (const [pair, taken] of samples) {
      const of = (name) => median(taken.map((one) => one[name]));
      const base = samples.values().next().value;
      // Each round to itself: a machine that others use is slow for all of a round.
      const ratio = median(taken.map((one, round) => one.perSecond / base[round].perSecond));
      const row = { perSecond: of('perSecond'), ratio, cpu: of('cpu'), serverCpu: of('serverCpu'), p99: of('p99') };
      results[load.name][pair] = row;
      const cells = [
        row.perSecond.toFixed(0),
        `${ratio.toFixed(2)} ×`,
        row.cpu.toFixed(1),
        row.serverCpu.toFixed(1),
        row.p99.toFixed(2),
      ];
      console.log(`  ${pair.padEnd(18)} ${cells.map((cell, at) => cell.padStart([9, 8, 11, 11, 8][at])).join(' ')}`);
    }
  }
  for (const { server, client } of fleet) for (const child of [client, server]) child.disconnect();
  if (!values.only && !values.quick) console.log(`\nSaved as ${save('wire', { node: version, rounds, ms, results })}.`);
}

await main();
