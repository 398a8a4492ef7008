// One sample, for run.mjs: measure.mjs pick <picker> <instances> | change <instances> <connected at most>
import { Cell, systemClock } from '@holdfast/core';
import { Balancer, Member } from '@holdfast/rpc/balancer';
import { Target } from '../../libs/rpc/dist/target.js';
import { median } from '../record.mjs';

const kinds = { pick, change };
const [kind, ...args] = process.argv.slice(2);
console.log(JSON.stringify(kinds[kind](...args)));

/**
 * Nanoseconds of a pick and its end, and of taking turns over an array, the least that there is. The time is a number here: a
 * service reads the clock before and after a call in any case. The best of several rounds, since others use the machine, too.
 */
function pick(picker, instances) {
  const balancer = new Balancer({ picker, clock: systemClock, random: Math.random });
  const members = Array.from({ length: Number(instances) }, (_, n) => new Member(`10.0.${n >> 8}.${n & 255}:80`, {}));
  for (const member of members) {
    balancer.join(member);
    balancer.setConnected(member, true);
  }
  const call = { patienceMs: 1_000, idempotent: true, tried: undefined, hashKey: undefined };
  const calls =
    picker === 'consistent_hash'
      ? Array.from({ length: 1_024 }, (_, n) => ({ ...call, hashKey: `user-${n}` }))
      : [call];
  // As many in flight as a busy process has, so that members differ.
  const running = [];
  let now = performance.now();
  const picked = (count) => {
    const before = process.hrtime.bigint();
    for (let n = 0; n < count; n++) {
      const asked = calls[n % calls.length];
      const slot = n & 63;
      now += 0.01;
      if (running[slot]) balancer.done(running[slot], 'success', 5 + (n & 7), asked, now);
      running[slot] = balancer.pick(asked, now);
    }
    return Number(process.hrtime.bigint() - before) / count;
  };
  const inFlight = new Int32Array(members.length);
  let turn = 0;
  const plain = (count) => {
    const before = process.hrtime.bigint();
    for (let n = 0; n < count; n++) {
      const place = turn++ % members.length;
      inFlight[place]++;
      inFlight[place]--;
    }
    return Number(process.hrtime.bigint() - before) / count;
  };
  const rounds = { picked: [], plain: [] };
  picked(200_000);
  plain(200_000);
  for (let round = 0; round < 150; round++) {
    rounds.picked.push(picked(20_000));
    rounds.plain.push(plain(20_000));
  }
  return { picked: Math.min(...rounds.picked), plain: Math.min(...rounds.plain) };
}

/** Milliseconds that one instance that comes or goes among many blocks the event loop, from the view's change on; links are empty shells. */
function change(size, maxPeers) {
  let connects = 0;
  let closes = 0;
  const transport = {
    name: 'stub',
    connect: () => {
      connects++;
      const state = new Cell('idle');
      return { state, connect: () => state.set('ready'), close: () => closes++, drain: async () => void closes++ };
    },
  };
  const all = Array.from({ length: Number(size) }, (_, n) => instance(n));
  const view = new Cell(all);
  const before = performance.now();
  const target = new Target('users', {
    view: { service: 'users', instances: view, held: [], origin: 'registry' },
    transport,
    balancer: new Cell('p2c_ewma'),
    clock: systemClock,
    random: Math.random,
    maxPeers: new Cell(Number(maxPeers)),
  });
  const first = performance.now() - before;
  const times = [];
  const [had, hadClosed] = [connects, closes];
  for (let round = 0; round < 40; round++) {
    const next = round % 2 === 0 ? [...all.slice(0, -1), instance(1_000_000)] : all;
    const start = performance.now();
    view.set(next);
    times.push(performance.now() - start);
  }
  if (connects - had > 40 || closes - hadClosed > 40) throw new Error('a change of one touched others');
  target.close();
  return { first, median: median(times), worst: Math.max(...times) };
}

function instance(n) {
  return {
    id: `i${n}`,
    service: 'users',
    host: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
    port: 80,
    protocol: 'grpc',
  };
}
