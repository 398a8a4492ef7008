import { median } from '../record.mjs';
import { load } from './wrk.mjs';

/** One run against one contender: what the load generator saw, and what it cost the processes. */
export async function measure(wrk, contender, shape) {
  const before = spent(contender);
  const result = await load(wrk, contender.url, shape);
  const after = spent(contender);
  const perRequest = (role, kind) => (after[role][kind] - before[role][kind]) / result.requests;
  return {
    ...result,
    gatewayUser: perRequest('gateway', 'user'),
    gatewaySystem: perRequest('gateway', 'system'),
    serviceUser: perRequest('service', 'user'),
    serviceSystem: perRequest('service', 'system'),
    gatewayMemory: contender.gateway.memory(),
    serviceMemory: Math.max(...contender.services.map((service) => service.memory())),
  };
}

function spent({ gateway, services }) {
  const total = { user: 0, system: 0 };
  for (const { user, system } of services.map((service) => service.cpu())) {
    total.user += user;
    total.system += system;
  }
  return { gateway: gateway.cpu(), service: total };
}

/**
 * All contenders under all connection counts, `rounds` times over. Each round starts with another contender, so that
 * what happens on the machine meanwhile falls on all of them; only ratios of one call of this function mean something.
 */
export async function measureAll(wrk, contenders, { connections, rounds, seconds, warmUpSeconds, onRound }) {
  for (const contender of contenders) {
    await load(wrk, contender.url, { connections: Math.max(...connections), seconds: warmUpSeconds });
  }
  const samples = new Map();
  for (let round = 0; round < rounds; round++) {
    for (const count of connections) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length];
        const key = `${contender.name}/${count}`;
        const sample = await measure(wrk, contender, { connections: count, seconds });
        samples.set(key, [...(samples.get(key) ?? []), sample]);
      }
    }
    onRound(round);
  }
  return [...samples].map(([key, runs]) => {
    const [name, count] = key.split('/');
    return { name, connections: Number(count), ...medians(runs) };
  });
}

function medians(runs) {
  return Object.fromEntries(Object.keys(runs[0]).map((field) => [field, median(runs.map((run) => run[field]))]));
}
