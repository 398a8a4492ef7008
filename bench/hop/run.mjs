import { parseArgs } from 'node:util';
import { machine, save } from '../record.mjs';
import { Contender, contenderNames, usualNames } from './contenders.mjs';
import { measureAll } from './measure.mjs';
import { table } from './report.mjs';
import { findWrk } from './wrk.mjs';

const help = `One request over one hop, GET /users/:name through a gateway to a user service, on each contender in turn.

  --node <path>      run every server with this Node binary (default: this one)
  --replicas <n>     user services behind each gateway, 1 to 10 (default: 1)
  --only <names>     some of: ${contenderNames.join(', ')} (comma-separated)
                     all but haproxy, where nothing is said: it wants npm run backends -- interop
  --quick            one short round: to see that it runs, not to quote
  --help`;

/** Rounds and seconds that keep a full run at about five minutes with four contenders. */
const full = { connections: [1, 16, 64], rounds: 5, seconds: 4, warmUpSeconds: 5 };
const quick = { connections: [1, 64], rounds: 1, seconds: 2, warmUpSeconds: 2 };

async function main() {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', default: process.execPath },
      replicas: { type: 'string', default: '1' },
      only: { type: 'string', default: usualNames.join(',') },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(help);
  const replicas = Number(values.replicas);
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 10) throw new Error('--replicas must be 1 to 10.');
  const names = values.only.split(',').map((name) => name.trim());
  const stranger = names.find((name) => !contenderNames.includes(name));
  if (stranger) throw new Error(`--only knows ${contenderNames.join(', ')}, not "${stranger}".`);

  if (process.platform !== 'linux') throw new Error('The bench reads CPU times from /proc, which only Linux has.');

  const wrk = await findWrk();
  const { version, about } = machine(values.node);
  const shape = values.quick ? quick : full;
  console.log(`${about}, ${replicas} user service(s)`);
  const contenders = [];
  try {
    for (const name of names) contenders.push(await Contender.start(name, { node: values.node, replicas }));
    const onRound = (round) => console.log(`round ${round + 1} of ${shape.rounds} done`);
    const results = await measureAll(wrk, contenders, { ...shape, onRound });
    console.log(`\n${table(results, names[0])}\n`);
    console.log(`Saved as ${save('hop', { node: version, replicas, shape, results })}.`);
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
  }
}

// Turned into an exit, so that the servers are stopped on every way out.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
