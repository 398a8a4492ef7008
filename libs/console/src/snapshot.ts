import type { JournalEntry } from '@holdfast/core';
import { addressOf, type Instance } from '@holdfast/discovery';
import type { PeerState, Target } from '@holdfast/rpc';
import type { ConsoleSubject } from './subject.js';

/** No more instances of one service, methods, or problems are shown than this; the page says how many there are. */
const MOST_INSTANCES = 500;
const MOST_METHODS = 500;
const MOST_PROBLEMS = 20;

/** What the live page shows of a process at one moment: the process's own view, and nothing that others were asked for. */
export type Snapshot = ReturnType<typeof snapshotOf>;

/** @param lastRefused the last change of the settings that was not taken */
export function snapshotOf(subject: ConsoleSubject, startedAt: number, lastRefused: JournalEntry | undefined) {
  const { self, lifecycle, discovery, targets, clock, token } = subject;
  return {
    at: clock.wallTime(),
    self: { ...self, startedAt },
    phase: lifecycle.phase.value,
    operable: token !== undefined,
    registry: { name: discovery.registryName, ...discovery.contact.value },
    settings: settingsOf(subject, lastRefused),
    services: targets.all.map(serviceOf),
    ...methodsOf(subject),
  };
}

function settingsOf({ config }: ConsoleSubject, lastRefused: JournalEntry | undefined) {
  const { layers, problems, unclaimed, degraded } = config.status.value;
  return {
    degraded,
    stores: layers.map(({ name, contact, since, reason, origin, revision }) => {
      return { name, contact, since, reason, origin, revision };
    }),
    problems: problems.slice(0, MOST_PROBLEMS),
    unclaimed: unclaimed.slice(0, MOST_PROBLEMS),
    lastRefused,
  };
}

function serviceOf(target: Target) {
  const states = target.states();
  const known = new Map(target.peers.map(({ instance }) => [addressOf(instance), instance]));
  // Of too many, those that need a look come first.
  const shown = states.length <= MOST_INSTANCES ? states : [...states].sort(byTrouble).slice(0, MOST_INSTANCES);
  return {
    name: target.name,
    origin: target.view.origin,
    panic: target.panic,
    held: target.view.held,
    count: states.length,
    instances: shown.map((state) => ({ ...state, ...listed(known.get(state.address)) })),
  };
}

/** What the registry says of an instance beside its address. */
function listed(instance: Instance | undefined) {
  if (!instance) return {};
  const { host, adminPort, version } = instance;
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return { version, ...(adminPort !== undefined && { page: `http://${bracketed}:${adminPort}/` }) };
}

const byTrouble = (a: PeerState, b: PeerState) => Number(a.state === 'ready') - Number(b.state === 'ready');

function methodsOf({ resilience }: ConsoleSubject) {
  const summaries = resilience.summaries();
  const all = Object.entries(resilience.states());
  const methods = all.slice(0, MOST_METHODS).map(([name, state]) => ({ name, ...state, ...summaries[name]! }));
  return { methodCount: all.length, methods };
}
