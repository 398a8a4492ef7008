import type { Clock, Random } from '@holdfast/core';
import { Ejections } from './ejection.js';
import type { Listed, Member } from './member.js';
import type { Outcome } from './outcome.js';
import { isBounded, type PickCall } from './pick-call.js';
import type { BalancerName } from './picker.js';
import type { Health } from './prober.js';
import { Score } from './score.js';
import { Selection } from './selection.js';

export interface BalancerOptions<M extends Member> {
  readonly picker: BalancerName;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  /** The zone that this process runs in: members in it come first. @default none: zones do not matter */
  readonly zone?: string | undefined;
  /** Probes ejected members. @default none: they come back only while most are out */
  readonly probes?: Probes<M>;
  /** Told when a member was ejected, or takes calls again. @default nobody is */
  readonly onJudged?: ((member: M, standing: 'ejected' | 'readmitted') => void) | undefined;
}

/** Probes ejected members, and tells the balancer by {@link Balancer.readmit}, `extend` or `tryByCall`. */
export interface Probes<M extends Member> {
  /** `member` is to be probed in so many milliseconds, and not before. */
  schedule(balancer: Balancer<M>, member: M, pauseMs: number): void;
  /** `member` has left. */
  forget(member: M): void;
}

const anyCall: PickCall = {};
/** A connection that is back after less than this, in milliseconds, was no restart: its member does not start slowly. */
const BLIP_MS = 5_000;
const SAYS_NO = 'it says that it does not serve';

/**
 * Who gets the next call. It has no I/O and no timers: members come and go, calls begin and end, and it remembers, counts
 * and decides; the same object runs under a {@link Target} and in the simulator. Its parts: {@link Ejections} say who
 * may take calls, {@link Selection} chooses among those by a picker, {@link Score} compares them. The cost of a pick does
 * not depend on the number of members.
 */
export class Balancer<M extends Member = Member> {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #score = new Score();
  readonly #ejections: Ejections<M>;
  readonly #selection: Selection<M>;
  readonly #probes: Probes<M> | undefined;
  /** Ejected ones that the next idempotent call is to probe. */
  readonly #trials = new Set<M>();

  constructor({ picker, clock, random, zone, probes, onJudged }: BalancerOptions<M>) {
    this.#clock = clock;
    this.#probes = probes;
    this.#ejections = new Ejections(random, {
      moved: (member) => this.#place(member),
      waits: (member, pauseMs) => {
        this.#trials.delete(member);
        probes?.schedule(this, member, pauseMs);
      },
      judged: (member, standing) => onJudged?.(member, standing),
    });
    this.#selection = new Selection(picker, zone, this.#score, random, (member, now) =>
      this.#ejections.eject(member, `no answer for ${Math.round(member.silence(now))} ms`, now),
    );
  }

  /** More than half of the members would be ejected, so that none is. */
  get panic(): boolean {
    return this.#ejections.panic;
  }

  /** How often a member was ejected. */
  get ejections(): number {
    return this.#ejections.count;
  }

  /** Chooses by another rule from now on; what is known of the members stays. */
  use(picker: BalancerName): void {
    this.#selection.use(picker);
  }

  /** `member` is listed from now on; it takes calls once it is connected. */
  join(member: M): void {
    this.#selection.zones.list(member);
  }

  /** The registry says something else of `member` now. */
  relist(member: M, { zone, weight = 1 }: Listed): void {
    member.zone = zone;
    member.weight = weight;
    this.#selection.zones.list(member);
    this.#place(member);
  }

  /** Another process runs at the address of `member`: nothing that was known of it holds. */
  renew(member: M): void {
    this.readmit(member);
    member.renew();
    member.enter(this.#clock.now());
  }

  /** `member` has a connection that takes calls, or has lost it. */
  setConnected(member: M, connected: boolean): void {
    if (member.connected === connected) return;
    const now = this.#clock.now();
    member.connected = connected;
    if (connected) {
      if (this.#selection.zones.size === 0) this.#selection.slowStart.servingSince = now;
      if (now - member.lostAt > BLIP_MS) member.enter(now);
    } else {
      member.lostAt = now;
      this.#trials.delete(member);
    }
    this.#ejections.connectionChanged(member);
    this.#place(member);
  }

  /** `member` says so of itself. One that was ejected for what it did to calls is not taken back for its word. */
  heard(member: M, health: Health): void {
    if (health === 'failing') this.#ejections.eject(member, SAYS_NO, this.#clock.now());
    else if (health === 'serving' && member.why === SAYS_NO) this.readmit(member);
  }

  /** `member` is no longer listed. */
  leave(member: M): void {
    this.setConnected(member, false);
    this.#selection.zones.unlist(member);
    this.#probes?.forget(member);
  }

  /** The member for a call, which now counts as begun on it: every pick has its {@link done}. Undefined where there is none. */
  pick(call: PickCall = anyCall, now = this.#clock.now()): M | undefined {
    const member = (this.#trials.size > 0 ? this.#trialFor(call) : undefined) ?? this.#selection.select(call, now);
    if (!member) return undefined;
    this.#selection.running++;
    member.begin(now, isBounded(call));
    return member;
  }

  /** A call ended after `durationMs`; `call` is what it was picked with. Only calls with a bounded time tell how fast a member is. */
  done(member: M, outcome: Outcome, durationMs: number, call: PickCall = anyCall, now = this.#clock.now()): void {
    const bounded = isBounded(call);
    const answered = outcome !== 'timeout' && outcome !== 'ignored';
    this.#selection.running--;
    if (answered) this.#selection.answeredAt = now;
    member.end(now, bounded, answered);
    // What began before its standing changed was taken into account by that change.
    if (now - durationMs < member.standingSince) return;
    // Nobody waited for the end, so it took at least so long.
    if (outcome === 'ignored')
      return bounded && durationMs > member.latencyMs ? member.measure(durationMs, now) : undefined;
    if (member.standing === 'trial') return this.#tried(member, outcome, now);
    if (outcome === 'mistake') return;
    const succeeded = outcome === 'success';
    // Less time than a good answer takes says something of the caller, not of the member.
    if (outcome === 'timeout' && durationMs < 2 * this.#score.usualMs) return;
    // How long a stream lasts says nothing, and a failure that comes soon must not look fast.
    if (bounded && (succeeded || durationMs > member.latencyMs)) member.measure(durationMs, now);
    member.judge(succeeded, now);
    this.#score.note(bounded ? durationMs : undefined, succeeded);
    if (outcome === 'overload') return;
    member.failures = succeeded ? 0 : member.failures + 1;
    member.timeouts = outcome === 'timeout' ? member.timeouts + 1 : 0;
    if (outcome === 'timeout' && bounded && this.#wasSilent(member, durationMs, now)) {
      this.#ejections.eject(member, `no answer for ${Math.round(now - member.silentSince)} ms`, now);
    } else {
      this.#ejections.judge(member, this.#score.usualSuccess, now);
    }
  }

  /** The probe of an ejected member begins. */
  probing(member: M): void {
    this.#ejections.probing(member, 'probing');
  }

  /** The member cannot be asked for its health: the next idempotent call is its probe. */
  tryByCall(member: M): void {
    this.#ejections.probing(member, 'trial');
    this.#trials.add(member);
  }

  /** The member has passed its probe: it takes calls again, few at first, and its next failure ejects it again. */
  readmit(member: M): void {
    this.#trials.delete(member);
    this.#ejections.readmit(member, this.#clock.now());
  }

  /** The member has not passed its probe: it waits longer for the next. */
  extend(member: M): void {
    this.#ejections.extend(member, this.#clock.now());
  }

  /** Whether `member` gets less than its share because it is new, or newly back. */
  isWarming(member: M): boolean {
    return this.#selection.slowStart.isNew(member, this.#clock.now());
  }

  /** The share of the picks of the last 5 to 10 s that each of `members` had. */
  sharesOf(members: readonly M[]): readonly number[] {
    const now = this.#clock.now();
    const picks = members.map((member) => member.recentPicks(now));
    const all = picks.reduce((sum, count) => sum + count, 0);
    return picks.map((count) => (all === 0 ? 0 : count / all));
  }

  /**
   * Nothing came back from it in these last milliseconds, while others answered. What came within twice the usual time
   * belongs to calls from before: an instance that hangs may just have given such an answer.
   */
  #wasSilent(member: M, durationMs: number, now: number): boolean {
    const since = now - durationMs;
    const echoes = Math.min(2 * this.#score.usualMs, durationMs / 2);
    return member.silentSince <= since + echoes && this.#selection.answeredAt > Math.max(since, member.silentSince);
  }

  #trialFor(call: PickCall): M | undefined {
    if (!call.idempotent) return undefined;
    for (const member of this.#trials) {
      if (call.tried?.has(member.address)) continue;
      this.#trials.delete(member);
      return member;
    }
    return undefined;
  }

  #tried(member: M, outcome: Outcome, now: number): void {
    if (outcome === 'success' || outcome === 'mistake') this.readmit(member);
    else this.#ejections.extend(member, now);
  }

  #place(member: M): void {
    const { zones } = this.#selection;
    zones.remove(member);
    if (member.connected && this.#ejections.admits(member)) zones.add(member);
  }
}
