import type { Random } from '@holdfast/core';
import type { Instance } from '../driver.js';
import { addressOf } from '../instances.js';
import type { ScriptedRegistry } from './scripted-registry.js';

const SERVICE = 'users';
/** More than these live at no time. */
const MOST = 40;

/** What may happen, and how likely it is relative to the rest. */
const likelihoods = {
  join: 30,
  leave: 20,
  change: 15,
  flap: 8,
  takeOver: 5,
  duplicate: 5,
  wrongEntry: 5,
  crashOfHalf: 2,
  cut: 5,
  regress: 3,
  reset: 2,
  compact: 3,
  outage: 1,
  recovery: 4,
  lieOfNone: 1,
  lieOfHalf: 1,
  confession: 4,
} as const;
export type FleetEvent = keyof typeof likelihoods;

const deck = Object.entries(likelihoods).flatMap(([event, count]) => Array<string>(count).fill(event)) as FleetEvent[];

/** A fleet that lives at random, and a registry that is right about it, wrong, silent or confused, also at random. */
export class RandomFleet {
  /** How often each event has happened. */
  readonly happened: Partial<Record<FleetEvent, number>> = {};
  readonly #registry: ScriptedRegistry;
  readonly #random: Random;
  /** Who lives, by address. */
  readonly #alive = new Map<string, Instance>();
  /** What the registry says beside the truth, by the address whose life it shares; '' for what is there for good. */
  readonly #clutter = new Map<string, Instance[]>();
  #serial = 0;
  #lie: ((instance: Instance) => boolean) | undefined;

  constructor(registry: ScriptedRegistry, random: Random) {
    this.#registry = registry;
    this.#random = random;
  }

  /** Who lives, in the order of ids: what a view should show. */
  get truth(): readonly Instance[] {
    return [...this.#alive.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** What the instance itself says, when it is asked. */
  lives(instance: Instance): boolean {
    return this.#alive.get(addressOf(instance))?.id === instance.id;
  }

  /** Lets one thing happen. */
  step(): FleetEvent {
    let event = deck[Math.floor(this.#random() * deck.length)]!;
    if (this.#alive.size < 2) event = 'join';
    if (this.#alive.size >= MOST && event === 'join') event = 'leave';
    this.happened[event] = (this.happened[event] ?? 0) + 1;
    this.#events[event]();
    return event;
  }

  /** The registry is there, and says the truth. */
  calm(): void {
    this.#events.recovery();
    this.#events.confession();
  }

  readonly #events: Record<FleetEvent, () => void> = {
    join: () => this.#tell(() => this.#add(`10.0.0.${this.#serial % 250}`, 5_000 + this.#serial)),
    leave: () => this.#tell(() => this.#remove(this.#any())),
    change: () =>
      this.#tell(() => {
        const instance = this.#any();
        this.#clutter.delete(addressOf(instance));
        this.#alive.set(addressOf(instance), { ...instance, weight: 1 + Math.floor(this.#random() * 100) });
      }),
    flap: () => {
      const instance = this.#any();
      for (let times = 0; times < 10; times++) {
        this.#tell(() => this.#remove(instance));
        this.#tell(() => this.#alive.set(addressOf(instance), instance));
      }
    },
    takeOver: () =>
      this.#tell(() => {
        const { host, port } = this.#any();
        this.#add(host, port);
      }),
    duplicate: () =>
      this.#tell(() => {
        const instance = this.#any();
        // An entry that its last life left behind, which sorts before it, or the very same entry twice.
        const twin = this.#random() < 0.5 ? instance : { ...instance, id: `${instance.id.slice(0, -1)}!` };
        this.#clutter.set(addressOf(instance), [...(this.#clutter.get(addressOf(instance)) ?? []), twin]);
      }),
    wrongEntry: () =>
      this.#tell(() => {
        const wrongs = [{ port: 0 }, { port: 70_000 }, { port: 1.5 }, { host: '' }, { id: '' }, { service: 'orders' }];
        const wrong = { ...this.#make('10.9.9.9', 9_999), ...wrongs[Math.floor(this.#random() * wrongs.length)] };
        this.#clutter.set('', [...(this.#clutter.get('') ?? []).slice(-9), wrong]);
      }),
    crashOfHalf: () =>
      this.#tell(() => {
        for (const instance of this.truth.filter((_, index) => index % 2 === 0)) this.#remove(instance);
      }),
    cut: () => this.#registry.cut(),
    regress: () => this.#registry.regress(1 + Math.floor(this.#random() * 50)),
    reset: () => this.#registry.reset(),
    compact: () => this.#registry.compact(),
    outage: () => this.#registry.fail(),
    recovery: () => this.#registry.recover(),
    lieOfNone: () => this.#tell(() => (this.#lie = () => false)),
    lieOfHalf: () => this.#tell(() => (this.#lie = ({ port }) => port % 2 === 0)),
    confession: () => this.#tell(() => (this.#lie = undefined)),
  };

  #tell(change: () => void): void {
    change();
    const entries = [...this.#alive.values(), ...[...this.#clutter.values()].flat()];
    const said = this.#lie ? entries.filter(this.#lie) : entries;
    // In no order that means anything.
    this.#registry.say(this.#random() < 0.5 ? said : said.toReversed());
  }

  #make(host: string, port: number): Instance {
    return { id: `users-${String(this.#serial++).padStart(6, '0')}~`, service: SERVICE, host, port, protocol: 'grpc' };
  }

  #add(host: string, port: number): void {
    const instance = this.#make(host, port);
    this.#clutter.delete(addressOf(instance));
    this.#alive.set(addressOf(instance), instance);
  }

  #remove(instance: Instance): void {
    this.#alive.delete(addressOf(instance));
    this.#clutter.delete(addressOf(instance));
  }

  #any(): Instance {
    return [...this.#alive.values()][Math.floor(this.#random() * this.#alive.size)]!;
  }
}
