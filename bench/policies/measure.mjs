import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** One contender's process. It does one thing at a time, when it is told to. */
export class Contender {
  #process;
  /** Takes the answer to what was asked last. */
  #settle;

  constructor(name, { node, context }) {
    this.name = name;
    this.#process = fork(fileURLToPath(new URL('contender.mjs', import.meta.url)), [name], {
      execPath: node,
      // Without warnings: at 64 calls in flight, some contenders have more listeners on one signal than Node finds sane.
      env: { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1', CONTEXT: context ? '1' : '' },
    });
    this.#process.on('message', (reply) => this.#settle(reply));
    this.#process.on('exit', () => this.#settle({ error: `${name} ended.` }));
  }

  static async start(name, options) {
    const contender = new Contender(name, options);
    await contender.#answer();
    return contender;
  }

  async ask(task, input) {
    const answer = this.#answer();
    this.#process.send({ task, input });
    return (await answer).result;
  }

  async #answer() {
    const reply = await new Promise((resolve) => (this.#settle = resolve));
    if (reply.error) throw new Error(reply.error);
    return reply;
  }

  stop() {
    if (this.#process.connected) this.#process.disconnect();
  }
}

const keyOf = (contender, scenario) => `${contender.name}/${scenario.name}`;

/**
 * Every contender under every scenario, `rounds` times over, each round starting with another contender, so that what
 * happens on the machine meanwhile falls on all. Ratios are of one round, and the median of those is what counts.
 */
export async function measureAll(contenders, scenarios, { rounds, sampleMs, warmUpMs, onRound }) {
  const calls = new Map();
  const samples = [];
  for (const scenario of scenarios) {
    for (const contender of contenders) {
      // Warm-up, which also tells how many calls fill a sample. The optimising compiler needs a second or so.
      let count = 200;
      for (let spent = 0; spent < warmUpMs;) {
        const ns = await contender.ask('time', { ...scenario, calls: count });
        spent += (ns * count) / 1e6;
        count = Math.min(200_000, Math.max(200, Math.round((sampleMs * 1e6) / ns)));
      }
      calls.set(keyOf(contender, scenario), count);
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const scenario of scenarios) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length];
        const ns = await contender.ask('time', { ...scenario, calls: calls.get(keyOf(contender, scenario)) });
        samples.push({ round, contender: contender.name, scenario: scenario.name, ns });
      }
    }
    onRound(round);
  }
  // Afterwards: it collects all garbage, upon which V8 makes the young generation small, and calls in that are dear for long.
  for (const scenario of scenarios) {
    for (const contender of contenders) {
      const bytes = await contender.ask('bytes', scenario);
      for (const sample of samples) {
        if (sample.contender === contender.name && sample.scenario === scenario.name) sample.bytes = bytes;
      }
    }
  }
  return samples;
}
