import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine, save } from '../record.mjs';

const help = `What a change among many instances in Consul costs a process that watches them: how long its event loop stands
still, from the answer's first byte to the view's new instances, and how long until the view has it. It wants a
machine that does nothing else: what others take of it counts as well.

  --node <path>   measure with this Node binary (default: this one)
  --sizes <list>  numbers of instances (default: 100,200,400,1000,10000)
  --quick         few rounds: to see that it runs, not to quote
  --help`;

const measure = fileURLToPath(new URL('measure.mjs', import.meta.url));
/** The promise: a one-instance change among 10,000 blocks the event loop no longer, in milliseconds. */
const GOAL_MS = 5;

function main() {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', default: process.execPath },
      sizes: { type: 'string', default: '100,200,400,1000,10000' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(help);
  const rounds = values.quick ? 5 : 25;
  const { version, about } = machine(values.node);
  console.log(`${about}, ${rounds} changes each, in milliseconds\n`);
  console.log(
    '             answer     one change blocks the loop     without one         view has   loop works   first',
  );
  console.log(
    '  instances      MB   least  median     p90  longest   median     p90       it after  per change  blocks  RSS MB',
  );
  const results = values.sizes.split(',').map((size) => {
    const output = execFileSync(values.node, [measure, size, String(rounds)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 2],
    });
    const result = JSON.parse(output);
    const { bytes, blocked, quiet, delay, busy, first, rssMb } = result;
    const cells = [
      [size, 11],
      [(bytes / 1e6).toFixed(2), 8],
      ...[0, 0.5, 0.9, 1].map((part) => [middle(blocked, part), 8]),
      ...[0.5, 0.9].map((part) => [middle(quiet, part), 8]),
      [middle(delay, 0.5), 15],
      [middle(busy, 0.5), 11],
      [first.toFixed(1), 8],
      [rssMb.toFixed(0), 7],
    ];
    console.log(cells.map(([text, width]) => text.padStart(width)).join(''));
    return result;
  });
  const largest = results.at(-1);
  const kept = Number(middle(largest.blocked, 0.5)) <= GOAL_MS;
  console.log(`\nA change among ${largest.size} blocks ${GOAL_MS} ms or less, in the median: ${kept ? 'yes' : 'NO'}.`);
  console.log(`Saved as ${save('registry', { node: version, rounds, results })}.`);
}

/** The number below which the given part of `numbers` lies. */
function middle(numbers, part) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))].toFixed(2);
}

main();
