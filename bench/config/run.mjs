import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine, median, save } from '../record.mjs';

const help = `What live settings cost: reading a value where it is used, loading 10,000 keys, and waiting for changes.

  --node <path>   measure with this Node binary (default: this one)
  --quick         few rounds: to see that it runs, not to quote
  --help`;

const measure = fileURLToPath(new URL('measure.mjs', import.meta.url));

function main() {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', default: process.execPath },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(help);
  const rounds = values.quick ? 3 : 7;
  // Each sample is a process of its own: a start is measured as cold as it is.
  const sample = (kind, ...args) =>
    JSON.parse(execFileSync(values.node, [measure, kind, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }));
  const samples = (kind, ...args) => Array.from({ length: rounds }, () => sample(kind, ...args));
  const { version, about } = machine(values.node);
  console.log(`${about}, medians of ${rounds} processes\n`);

  const reads = samples('read');
  const read = Object.fromEntries(Object.keys(reads[0]).map((name) => [name, median(reads.map((one) => one[name]))]));
  console.log(
    `read a value      ${read.cell.toFixed(2)} ns (a plain property: ${read.plain.toFixed(2)} ns; goal: 20 ns or less)`,
  );

  const loads = {};
  const shapes = { document: 'one document', single: 'single entries', file: 'a YAML file' };
  for (const [shape, name] of Object.entries(shapes)) {
    for (const claims of ['100', '10000']) {
      const load = samples('load', shape, claims);
      const [cold, cpu, warm] = ['cold', 'cpu', 'warm'].map((what) => median(load.map((one) => one[what])));
      loads[`${shape} ${claims}`] = { cold, cpu, warm };
      const title = `${name}, ${claims} claims`;
      console.log(
        `load 10,000 keys  ${cold.toFixed(0)} ms in a new process (${cpu.toFixed(0)} of CPU), ${warm.toFixed(0)} ms later (${title}; goal: 200 ms or less)`,
      );
    }
  }
  const idle = sample('idle', values.quick ? '3' : '10');
  console.log(
    `idle file watch   ${idle.cpuMs.toFixed(1)} ms of CPU in ${idle.seconds} s, ${idle.percent.toFixed(3)} % of a core`,
  );
  console.log(`\nSaved as ${save('config', { node: version, rounds, read, loads, idle })}.`);
}

main();
