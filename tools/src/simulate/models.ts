import type { Clock, Random } from '@holdfast/core';
import type { Chooser, ChooserDeps, Contender, Ended } from './contender.js';
import type { Server } from './server.js';

/** What a model remembers of a server. */
class Node {
  inFlight = 0;
  /** When it was picked last. */
  pickedAt = -Infinity;
  /** When its averages were updated last. */
  stamp = 0;
  /** Average latency or cost, in milliseconds; 0 before the first. */
  lag = 0;
  /** Average success, 0 to 1. */
  success = 1;
  /** When the calls on it began. */
  readonly started: number[] = [];

  constructor(readonly server: Server) {}
}

/** The book-keeping that all models share; what makes one of them is how it chooses and what it learns. */
abstract class Model implements Chooser {
  protected readonly nodes: Node[] = [];
  protected readonly clock: Clock;
  protected readonly random: Random;
  readonly #byServer = new Map<Server, Node>();

  constructor({ clock, random }: ChooserDeps) {
    this.clock = clock;
    this.random = random;
  }

  add(server: Server): void {
    const node = new Node(server);
    node.stamp = this.clock.now();
    this.nodes.push(node);
    this.#byServer.set(server, node);
  }

  pick(): Server {
    const node = this.choose();
    node.inFlight++;
    node.started.push(this.clock.now());
    return node.server;
  }

  done(server: Server, how: Ended, durationMs: number): void {
    const node = this.#byServer.get(server)!;
    node.inFlight--;
    node.started.splice(node.started.indexOf(this.clock.now() - durationMs), 1);
    this.learn(node, how, durationMs);
  }

  protected abstract choose(): Node;

  protected learn(_node: Node, _how: Ended, _durationMs: number): void {}

  /** Two different ones, drawn at random; the same twice where there is only one. */
  protected two(): [Node, Node] {
    const count = this.nodes.length;
    const first = Math.floor(this.random() * count);
    if (count === 1) return [this.nodes[0]!, this.nodes[0]!];
    const second = Math.floor(this.random() * (count - 1));
    return [this.nodes[first]!, this.nodes[second >= first ? second + 1 : second]!];
  }
}

/** In turn: grpc `round_robin`, and the default of most. */
class RoundRobin extends Model {
  #turn = -1;
  protected choose(): Node {
    if (this.#turn < 0) this.#turn = Math.floor(this.random() * this.nodes.length);
    return this.nodes[this.#turn++ % this.nodes.length]!;
  }
}

/** The one of all with the fewest calls in flight, ties broken at random: "least connections" of nginx, Traefik, HAProxy `leastconn`. */
class LeastRequestOfAll extends Model {
  protected choose(): Node {
    let best: Node[] = [];
    for (const node of this.nodes) {
      if (best.length === 0 || node.inFlight < best[0]!.inFlight) best = [node];
      else if (node.inFlight === best[0]!.inFlight) best.push(node);
    }
    return best[Math.floor(this.random() * best.length)]!;
  }
}

/** The one of two with fewer calls in flight: Envoy `LEAST_REQUEST`, gRFC A48. */
class LeastRequestOfTwo extends Model {
  protected choose(): Node {
    const [one, other] = this.two();
    return other.inFlight < one.inFlight ? other : one;
  }
}

/**
 * go-zero `zrpc/internal/balancer/p2c` (`p2c.go`): load = √(EWMA latency) × (in flight + 1), 10 s decay, up to three draws for two
 * whose success is above one half, a node left alone for 1 s is forced.
 */
class GoZeroP2c extends Model {
  protected choose(): Node {
    let pair = this.two();
    for (let draw = 1; draw < 3 && !(pair[0].success > 0.5 && pair[1].success > 0.5); draw++) pair = this.two();
    const [one, other] = pair;
    const [better, worse] = this.#load(one) > this.#load(other) ? [other, one] : [one, other];
    const now = this.clock.now();
    const chosen = worse !== better && now - worse.pickedAt > 1_000 ? worse : better;
    chosen.pickedAt = now;
    return chosen;
  }

  protected override learn(node: Node, how: Ended, durationMs: number): void {
    const now = this.clock.now();
    const kept = node.lag === 0 ? 0 : Math.exp((node.stamp - now) / 10_000);
    node.stamp = now;
    node.lag = node.lag * kept + durationMs * (1 - kept);
    node.success = node.success * kept + (how === 'success' ? 1 - kept : 0);
  }

  /** Its latencies are in nanoseconds. 0 counts as the greatest load that it knows. */
  #load(node: Node): number {
    return Math.floor(Math.sqrt(node.lag * 1e6 + 1)) * (node.inFlight + 1) || 2 ** 31 - 1;
  }
}

/**
 * Finagle `PeakEwma.scala` under its power-of-two-choices balancer: cost jumps up to every peak and decays over 10 s; an
 * unmeasured node with a call on it is avoided. Finagle also has failure accrual (five failures in a row), in a module
 * of its own, which is not in this model.
 */
class FinaglePeakEwma extends Model {
  protected choose(): Node {
    const [one, other] = this.two();
    return this.#load(one) <= this.#load(other) ? one : other;
  }

  protected override learn(node: Node, _how: Ended, durationMs: number): void {
    this.#observe(node, durationMs);
  }

  #observe(node: Node, durationMs: number): void {
    const now = this.clock.now();
    const kept = Math.exp((node.stamp - now) / 10_000);
    node.lag = durationMs > node.lag ? durationMs : node.lag * kept + durationMs * (1 - kept);
    node.stamp = now;
  }

  #load(node: Node): number {
    this.#observe(node, 0);
    return node.lag === 0 && node.inFlight > 0 ? 2 ** 47 / 1e6 + node.inFlight : node.lag * (node.inFlight + 1);
  }
}

/**
 * Kratos `selector/p2c` over `selector/node/ewma` (`node.go`): weight = success ÷ (EWMA latency × (in flight + 1)), decay 600 ms, the
 * mean age of calls that already take longer than the average in its place where most do, a loser left alone for 3 s is forced.
 */
class KratosP2c extends Model {
  protected choose(): Node {
    const [one, other] = this.two();
    const [better, worse] = this.#weight(other) > this.#weight(one) ? [other, one] : [one, other];
    const now = this.clock.now();
    const chosen = worse !== better && now - worse.pickedAt > 3_000 ? worse : better;
    chosen.pickedAt = now;
    return chosen;
  }

  protected override learn(node: Node, how: Ended, durationMs: number): void {
    const now = this.clock.now();
    const kept = node.lag === 0 ? 0 : Math.exp((node.stamp - now) / 600);
    node.stamp = now;
    node.lag = node.lag * kept + durationMs * (1 - kept);
    node.success = node.success * kept + (how === 'success' ? 1 - kept : 0);
  }

  #weight(node: Node): number {
    // It counts from one in flight, and holds a node without any measurement for very slow: 10 s.
    const lag = node.lag === 0 ? 10_000 : Math.max(node.lag, this.#predicted(node));
    return node.success / (lag * (node.inFlight + 1));
  }

  #predicted(node: Node): number {
    const now = this.clock.now();
    let late = 0;
    let total = 0;
    for (const start of node.started) {
      if (now - start <= node.lag) continue;
      late++;
      total += now - start;
    }
    return late > Math.floor(node.started.length / 2) + 1 ? total / late : 0;
  }
}

/** Ours to compare with: models of what others ship, written from what their sources do. */
export const models: readonly Contender[] = [
  { name: 'round robin', make: (deps) => new RoundRobin(deps) },
  { name: 'least request, all', make: (deps) => new LeastRequestOfAll(deps) },
  { name: 'least request, 2', make: (deps) => new LeastRequestOfTwo(deps) },
  { name: 'go-zero p2c', make: (deps) => new GoZeroP2c(deps) },
  { name: 'Finagle peak EWMA', make: (deps) => new FinaglePeakEwma(deps) },
  { name: 'Kratos p2c', make: (deps) => new KratosP2c(deps) },
];
