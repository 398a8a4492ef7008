import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { backend } from './backend.mjs';
import { median } from '../record.mjs';

// One contender in a process of its own: what others do to the compiler's type feedback and to the heap stays theirs.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const name = process.argv[2];
const storage = new AsyncLocalStorage();
const { make, context = (work) => storage.run({}, work) } = await import(`./contenders/${name}.mjs`);

// With CONTEXT, all runs inside an asynchronous context, as in a process that traces or knows its callers' deadlines: the
// contender's own where it has one, since such a process would have no other.
const within = process.env.CONTEXT ? context : (work) => work();

/** Calls that a window holds before failures are measured; without any, the first failure is 100 %. */
const before = { failure: 100, open: 0, success: 0 };

const setups = new Map();

async function setUp({ kind, atOnce = false, prefill = before[kind] }) {
  const key = `${kind}/${atOnce}/${prefill}`;
  if (setups.has(key)) return setups.get(key);
  const { state, call } = backend({ atOnce });
  const contender = await make({ call, tolerant: kind === 'failure', fallback: kind === 'success' });
  const setup = { run: contender.run, expect: kind === 'success' ? 'answer' : 'error' };
  await drive(setup.run, prefill, 64);
  state.failing = kind !== 'success';
  if (kind === 'open') {
    await drive(setup.run, 200, 64);
    // An open breaker refuses without asking: were the backend asked, it would answer now.
    state.failing = false;
  }
  if (name === 'plain' && kind === 'open') state.failing = true;
  setups.set(key, setup);
  return setup;
}

/**
 * `count` calls, `inFlight` at any time; says how many failed. Callbacks, because awaiting a rejection throws, and that
 * costs as much as some contenders do.
 */
async function drive(run, count, inFlight) {
  let left = count;
  let failed = 0;
  const worker = () =>
    new Promise((resolve) => {
      const next = () => {
        // oxlint-disable-next-line promise/no-callback-in-promise
        if (left-- > 0) run('alice').then(next, afterFailure);
        else resolve();
      };
      const afterFailure = () => {
        failed++;
        next();
      };
      next();
    });
  await Promise.all(Array.from({ length: inFlight }, worker));
  return failed;
}

function microseconds() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const tasks = {
  /** CPU nanoseconds per call, the whole process's: garbage is collected by other threads, and is part of the price. */
  async time({ calls, inFlight, ...scenario }) {
    const { run, expect } = await setUp(scenario);
    const started = microseconds();
    const failed = await drive(run, calls, inFlight);
    const spent = microseconds() - started;
    if (failed !== (expect === 'error' ? calls : 0)) throw new Error(`${name}: ${failed} of ${calls} calls failed`);
    return (spent * 1_000) / calls;
  },

  /** Bytes allocated per call: the median of batches so small that the collector comes in between few of them. */
  async bytes({ inFlight, ...scenario }) {
    const { run } = await setUp(scenario);
    collect();
    const batches = [];
    for (let batch = 0; batch < 21; batch++) {
      const started = process.memoryUsage().heapUsed;
      await drive(run, 64, inFlight);
      batches.push((process.memoryUsage().heapUsed - started) / 64);
    }
    return median(batches);
  },

  /** What `count` breakers cost that nobody calls: percent of a core, and bytes each. */
  async idle({ count, seconds }) {
    const { call } = backend();
    const kept = [];
    const baseline = await resting(seconds);
    collect();
    const memory = heap();
    for (let index = 0; index < count; index++) {
      const one = await make({ call });
      await one.run('alice');
      kept.push(one);
    }
    const spent = await resting(seconds);
    // Breakers with timers have made garbage meanwhile.
    collect();
    const bytes = (heap() - memory) / count;
    const percent = (spent - baseline) / (seconds * 10_000);
    for (const one of kept) await one.close?.();
    return { percent, bytes };
  },
};

/** Microseconds that the process spends in `seconds`, after the compiler and the collector had time to finish. */
async function resting(seconds) {
  collect();
  await sleep(1_000);
  collect();
  await sleep(100);
  const started = microseconds();
  await sleep(seconds * 1_000);
  return microseconds() - started;
}

function heap() {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

process.on('message', async ({ task, input }) => {
  try {
    process.send({ result: await within(() => tasks[task](input)) });
  } catch (error) {
    process.send({ error: error.stack });
  }
});
process.once('disconnect', () => process.exit(0));
process.send({ ready: true });
