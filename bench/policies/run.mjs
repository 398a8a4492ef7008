import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machine, save } from '../record.mjs';
import { goals } from './goals.mjs';
import { Contender, measureAll } from './measure.mjs';
import { aligned, summarise, tables } from './report.mjs';

const names = readdirSync(new URL('contenders/', import.meta.url)).map((file) => file.replace(/\.mjs$/, ''));

const help = `What a policy stack costs per call, in CPU time and bytes, beside the plain async call that it wraps.

  --node <path>    measure with this Node binary (default: this one)
  --only <names>   some of: ${names.join(', ')} (comma-separated; plain always takes part)
  --context        run all calls inside an AsyncLocalStorage, as any service does that traces its requests
  --quick          few rounds: to see that it runs, not to quote
  --help`;

const scenarios = [
  { name: 'success, one at a time', kind: 'success', inFlight: 1 },
  { name: 'success, 64 in flight', kind: 'success', inFlight: 64 },
  { name: 'success in the same turn', kind: 'success', inFlight: 1, atOnce: true },
  { name: 'failure, 64 in flight', kind: 'failure', inFlight: 64 },
  { name: 'refused while open', kind: 'open', inFlight: 1, atOnce: true },
];

const breakers = new Set(['opossum', 'holdfast-breaker', 'holdfast']);

async function main() {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', default: process.execPath },
      only: { type: 'string', default: names.join(',') },
      context: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(help);
  const chosen = [...new Set(['plain', ...values.only.split(',').map((name) => name.trim())])];
  const stranger = chosen.find((name) => !names.includes(name));
  if (stranger) throw new Error(`--only knows ${names.join(', ')}, not "${stranger}".`);

  const { version, about } = machine(values.node);
  const shape = values.quick
    ? { rounds: 3, sampleMs: 50, warmUpMs: 200 }
    : { rounds: 11, sampleMs: 60, warmUpMs: 1_500 };
  console.log(`${about}${values.context ? ', in a context' : ''}`);
  const contenders = [];
  try {
    for (const name of chosen) contenders.push(await Contender.start(name, values));
    const onRound = (round) => console.log(`round ${round + 1} of ${shape.rounds} done`);
    const samples = await measureAll(contenders, scenarios, { ...shape, onRound });
    const summary = summarise(samples, 'plain');
    console.log(`\n${tables(summary)}\n`);

    const measured = contenders.filter(({ name }) => breakers.has(name));
    const windows = await failuresByWindow(measured, values.quick ? 5 : 20);
    console.log(`${windowTable(windows)}\n`);
    const idle = await idleBreakers(
      measured.map(({ name }) => name),
      values,
      values.quick ? 2 : 10,
    );
    console.log(`${idleTable(idle)}\n`);
    console.log(goals({ summary, windows, idle }));
    console.log(
      `\nSaved as ${save('policies', { node: version, context: values.context, shape, summary, windows, idle })}.`,
    );
  } finally {
    for (const contender of contenders) contender.stop();
  }
}

/** CPU nanoseconds of a failing call, by the number of calls in the window. */
async function failuresByWindow(contenders, rounds) {
  const results = [];
  for (const { name } of contenders) results.push({ contender: name, 100: Infinity, 100_000: Infinity });
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      for (const prefill of [100, 100_000]) {
        // Small enough not to grow a window of 100 by much; the least of all rounds is the cost without disturbance.
        const ns = await contender.ask('time', { kind: 'failure', prefill, inFlight: 1, calls: 20, atOnce: true });
        results[index][prefill] = Math.min(results[index][prefill], ns);
      }
    }
  }
  return results;
}

/** In processes that have done nothing else yet: what an earlier scenario leaves on the heap would blur the sums. */
async function idleBreakers(kinds, options, seconds) {
  const results = [];
  for (const name of kinds) {
    const contender = await Contender.start(name, options);
    results.push({ contender: name, ...(await contender.ask('idle', { count: 1_000, seconds })) });
    contender.stop();
  }
  return results;
}

function windowTable(windows) {
  const rows = windows.map((row) => [row.contender, ...[100, 100_000].map((calls) => (row[calls] / 1_000).toFixed(1))]);
  return aligned([['failing call, by calls in the window', '100: µs', '100,000: µs'], ...rows]);
}

function idleTable(idle) {
  const rows = idle.map(({ contender, percent, bytes }) => [contender, percent.toFixed(2), bytes.toFixed(0)]);
  return aligned([['1,000 idle breakers, used once', '% of a core', 'bytes each'], ...rows]);
}

// Turned into an exit, so that the contenders, which end with this process's channel, do not outlive it.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
