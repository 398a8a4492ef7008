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

/**
 * Every contender under every scenario, `rounds` times over, each round starting with another contender, so that what
 * happens on the machine meanwhile falls on all. Ratios are of one round, and the median of those is what counts.
 */
export async function measureAll(contenders, scenarios, { rounds, sampleMs, onRound }) {
  const calls = new Map();
  const samples = [];
  for (let round = -1; round < rounds; round++) {
    for (const scenario of scenarios) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(Math.max(0, round) + turn) % contenders.length];
        const key = `${contender.name}/${scenario.name}`;
        const { inFlight } = scenario;
        if (round < 0) {
          // Warm-up, which also tells how many calls fill a sample.
          calls.set(key, 200);
          for (let step = 0; step < 4; step++) {
            const ns = await contender.ask('time', { ...scenario, calls: calls.get(key) });
            calls.set(key, Math.min(200_000, Math.max(200, Math.round((sampleMs * 1e6) / ns))));
          }
        } else {
          const ns = await contender.ask('time', { ...scenario, calls: calls.get(key) });
          const bytes = await contender.ask('bytes', scenario);
          samples.push({ round, contender: contender.name, scenario: scenario.name, inFlight, ns, bytes });
        }
      }
    }
    onRound(round);
  }
  return samples;
}
