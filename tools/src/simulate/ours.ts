import { Balancer, Member, Prober, type BalancerName, type PickCall } from '@holdfast/rpc/balancer';
import type { Chooser, ChooserDeps, Contender, Ended } from './contender.js';
import type { Server } from './server.js';

class ServerMember extends Member {
  constructor(readonly server: Server) {
    super(server.address, server.zone === undefined ? {} : { zone: server.zone });
  }
}

/** How long a health check takes, and how long it waits for a server that hangs, in milliseconds. */
const CHECK_MS = 2;
const CHECK_TIMEOUT_MS = 1_000;

/** The balancer of `@holdfast/rpc` itself, with its ejection and its probes, in place of a Target's. */
class Ours implements Chooser {
  readonly #balancer: Balancer<ServerMember>;
  readonly #members = new Map<Server, ServerMember>();
  readonly #call: PickCall;

  constructor({ clock, random, zone, patienceMs }: ChooserDeps, picker: BalancerName) {
    const probes = new Prober<ServerMember>(clock, ({ server }, report) => {
      const well = server.saysItIsWell;
      clock.after(well ? CHECK_MS : CHECK_TIMEOUT_MS, () => report(well ? 'serving' : 'failing'));
    });
    this.#balancer = new Balancer({ picker, clock, random, probes, zone });
    this.#call = { patienceMs, idempotent: true };
  }

  add(server: Server): void {
    const member = new ServerMember(server);
    this.#members.set(server, member);
    this.#balancer.join(member);
    this.#balancer.setConnected(member, true);
  }

  pick(): Server {
    return this.#balancer.pick(this.#call)!.server;
  }

  done(server: Server, how: Ended, durationMs: number): void {
    this.#balancer.done(this.#members.get(server)!, how, durationMs, this.#call);
  }
}

export function oursNamed(picker: BalancerName): Contender {
  return { name: picker, make: (deps) => new Ours(deps, picker) };
}
