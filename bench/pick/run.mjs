import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine, median, save } from '../record.mjs';

const help = `What it costs to choose an instance, and what one that comes or goes among 10,000 costs.

  --node <path>   measure with this Node binary (default: this one)
  --quick         few rounds: to see that it runs, not to quote
  --help`;

const measure = fileURLToPath(new URL('measure.mjs', import.meta.url));
const pickers = ['p2c_ewma', 'round_robin', 'random', 'least_request', 'weighted', 'consistent_hash'];
const sizes = [10, 1_000, 10_000];

function main() {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', default: process.execPath },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(help);
  const rounds = values.quick ? 1 : 5;
  // Each sample is a process of its own, and pickers take turns, so that a busy machine is busy for all of them.
  const sample = (...args) =>
    JSON.parse(
      execFileSync(values.node, [measure, ...args.map(String)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }),
    );
  const { version, about } = machine(values.node);
  console.log(`${about}, medians of ${rounds} processes\n`);

  const samples = new Map(pickers.flatMap((picker) => sizes.map((size) => [`${picker} ${size}`, []])));
  for (let round = 0; round < rounds; round++) {
    for (const [key, taken] of samples) taken.push(sample('pick', ...key.split(' ')));
  }
  const picks = {};
  console.log(`ns per pick and done     ${sizes.map((size) => `N = ${size}`.padStart(12)).join('')}`);
  for (const picker of pickers) {
    const row = sizes.map((size) => median(samples.get(`${picker} ${size}`).map(({ picked }) => picked)));
    picks[picker] = row;
    console.log(`  ${picker.padEnd(22)} ${row.map((ns) => ns.toFixed(0).padStart(12)).join('')}`);
  }
  const plain = median([...samples.values()].flat().map((one) => one.plain));
  console.log(`  ${'plain turns'.padEnd(22)} ${plain.toFixed(0).padStart(12)}\n`);

  const changes = {};
  for (const most of [100, 10_000]) {
    const taken = Array.from({ length: rounds }, () => sample('change', 10_000, most));
    const of = (name) => median(taken.map((one) => one[name]));
    changes[most] = { median: of('median'), worst: of('worst'), first: of('first') };
    const { median: usual, worst, first } = changes[most];
    console.log(
      `one of 10,000 changes, ${most} connected: ${usual.toFixed(2)} ms (worst ${worst.toFixed(2)} ms; the first list ${first.toFixed(0)} ms; goal: 5 ms or less)`,
    );
  }
  console.log(`\nSaved as ${save('pick', { node: version, rounds, sizes, picks, plain, changes })}.`);
}

main();
