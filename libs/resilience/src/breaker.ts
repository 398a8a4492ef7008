import { CircuitOpen, DeadlineExceeded, type Clock, type Live, type Random } from '@holdfast/core';
import type CircuitBreaker from 'opossum';
import { BreakerWindow } from './breaker-window.js';
import type { BreakerSpec } from './breaker-spec.js';
import { NO_PASS, type BreakerState, type Gate, type Pass } from './gate.js';
import { Circuit } from './opossum/circuit.js';
import { WindowStatus } from './opossum/status.js';

export interface BreakerDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each change of the state, once it is made, and why. @default nobody is */
  readonly turned?: ((state: BreakerState, why: string | undefined) => void) | undefined;
}

/** How much longer than openMs the breaker may stay open, at random: callers of one target must not probe it in step. */
const JITTER = 0.2;
/** Where doubling stops, so that numbers stay finite; maxOpenMs is reached long before. */
const MOST_DOUBLINGS = 30;

/**
 * Refuses calls to a target that fails, and lets a few through from time to time to see whether it has recovered.
 *
 * Closed: calls are counted, and when the window holds `volumeThreshold` of them and enough have failed or were slow, it
 * opens. Open: every call is refused, for `openMs` that double while the target keeps failing. Half-open: `probes` calls go
 * out, the rest are refused at once; when all of these succeed it closes with an empty window, and when one fails, is
 * slow, or has no outcome by its deadline, it opens again.
 *
 * Whoever enters reports one outcome for the pass it got. There is no timer: time is looked at when a call or a reader
 * comes, so a breaker that nobody uses costs nothing, and `open` and `halfOpen` are announced at that moment.
 * Source: Nygard, "Release It!", 2007, chapter 5; the state machine and its events are opossum's.
 */
export class Breaker implements Gate {
  readonly name: string;
  readonly #spec: Live<BreakerSpec>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #turned: BreakerDeps['turned'];
  readonly #window = new BreakerWindow();
  /** Made when somebody looks at it or the breaker opens: a breaker that is well and not watched is small and quick. */
  #circuit: Circuit | undefined;
  /** Probes that have no outcome yet, and when they must have one. */
  readonly #probes = new Map<Pass, number>();
  /** The last pass, or period of closed state, that was numbered. */
  #serial: Pass = 1;
  /** The pass that all calls get while the breaker is closed; NO_PASS while it is not. */
  #closedPass: Pass = 1;
  /** How many probes have succeeded since it is half-open. */
  #proven = 0;
  /** How often it opened since it was last closed. */
  #openings = 0;
  #openedAt = 0;
  /** How this opening's time relates to the specified one: 1 to 1 + JITTER. */
  #stretch = 1;
  #refusal: CircuitOpen | undefined;

  constructor(name: string, spec: Live<BreakerSpec>, { clock, random, turned }: BreakerDeps) {
    this.name = name;
    this.#spec = spec;
    this.#clock = clock;
    this.#random = random;
    this.#turned = turned;
  }

  /**
   * Asks to make a call. `probeTimeoutMs`, the attempt timeout, bounds how long the call may keep a probe's place.
   * @throws CircuitOpen, see {@link refusal}
   */
  enter(probeTimeoutMs = Infinity): Pass {
    const pass = this.tryEnter(probeTimeoutMs);
    if (pass === NO_PASS) throw this.refusal;
    return pass;
  }

  /** As {@link enter}, but gives NO_PASS instead of throwing: unwinding costs ten times as much as the refusal. */
  tryEnter(probeTimeoutMs = Infinity, now?: number): Pass {
    if (this.#closedPass === NO_PASS) return this.#enterProbe(probeTimeoutMs, now ?? this.#clock.now());
    this.#tell('fire', []);
    return this.#closedPass;
  }

  /** What those who are refused are told: one object for all, since an error and its stack cost more than all the rest. */
  get refusal(): CircuitOpen {
    return (this.#refusal ??= this.#makeRefusal());
  }

  /** The call came back well after `durationMs`. `now`, where the caller has just read the clock, saves another look. */
  succeeded(pass: Pass, durationMs: number, now = this.#clock.now()): void {
    const spec = this.#spec.value;
    const closed = pass === this.#closedPass;
    if (!closed && !this.#takeProbe(pass, now)) return;
    const slow = spec.slowCallDurationMs !== undefined && durationMs >= spec.slowCallDurationMs;
    this.#window.advance(now, spec.windowMs);
    this.#window.succeeded(durationMs, slow);
    this.#tell('success', undefined, durationMs);
    if (closed) {
      if (slow) this.#judge(spec, now);
    } else if (slow) {
      this.#open(now, 'its probe was slow');
    } else {
      this.#proven++;
      this.#settle(now);
    }
  }

  /** The call failed, and by the target's fault, after `durationMs`. */
  failed(pass: Pass, durationMs: number, error?: unknown, now = this.#clock.now()): void {
    const spec = this.#spec.value;
    const closed = pass === this.#closedPass;
    if (!closed && !this.#takeProbe(pass, now)) return;
    const slow = spec.slowCallDurationMs !== undefined && durationMs >= spec.slowCallDurationMs;
    const timedOut = error instanceof DeadlineExceeded;
    this.#window.advance(now, spec.windowMs);
    this.#window.failed(durationMs, slow, timedOut);
    if (timedOut) this.#tell('timeout', error, durationMs, []);
    this.#tell('failure', error, durationMs, []);
    if (closed) this.#judge(spec, now);
    else this.#open(now, 'its probe failed');
  }

  /** The call says nothing about the target: the caller's mistake, a refusal of ours, a cancellation. */
  ignored(pass: Pass): void {
    if (pass !== this.#closedPass) this.#takeProbe(pass, this.#clock.now());
  }

  get state(): BreakerState {
    this.#settle(this.#clock.now());
    if (this.#closedPass !== NO_PASS) return 'closed';
    return this.#opened ? 'open' : 'halfOpen';
  }

  /** opossum's circuit, for its metrics packages: to listen to and to read, not to fire, open or close. */
  get circuit(): CircuitBreaker {
    this.#settle(this.#clock.now());
    return this.#engine as unknown as CircuitBreaker;
  }

  /** Lets go of all listeners. */
  close(): void {
    this.#circuit?.removeAllListeners();
  }

  get #engine(): Circuit {
    return (this.#circuit ??= new Circuit(this.name, new WindowStatus(() => this.#currentWindow())));
  }

  get #opened(): boolean {
    return this.#circuit !== undefined && this.#circuit.opened;
  }

  #currentWindow(): BreakerWindow {
    this.#window.advance(this.#clock.now(), this.#spec.value.windowMs);
    return this.#window;
  }

  #tell(event: string, ...details: readonly unknown[]): void {
    if (this.#circuit !== undefined && this.#circuit.listenerCount(event) > 0) this.#circuit.emit(event, ...details);
  }

  #enterProbe(probeTimeoutMs: number, now: number): Pass {
    this.#settle(now);
    if (this.#closedPass !== NO_PASS) return this.#closedPass;
    const spec = this.#spec.value;
    if (this.#opened || this.#proven + this.#probes.size >= spec.probes) return this.#refuse(spec, now);
    const pass = ++this.#serial;
    this.#probes.set(pass, now + Math.min(probeTimeoutMs, spec.probeTimeoutMs));
    this.#tell('fire', []);
    return pass;
  }

  #refuse(spec: BreakerSpec, now: number): Pass {
    this.#window.advance(now, spec.windowMs);
    this.#window.refused();
    this.#tell('reject', this.refusal);
    return NO_PASS;
  }

  #makeRefusal(): CircuitOpen {
    const refusal = new CircuitOpen(`${this.name} keeps failing; no call goes out until it had time to recover.`);
    // It would show whoever was refused first, and to all.
    refusal.stack = `${refusal.name}: ${refusal.message}`;
    // Read late, since one object serves refusals of all times.
    return Object.defineProperty(refusal, 'retryAfterMs', {
      enumerable: true,
      get: () => (this.#opened ? Math.max(0, this.#openUntil() - this.#clock.now()) : undefined),
    });
  }

  /** Takes the probe's place back and says whether `pass` had one; a pass of an earlier period has none. */
  #takeProbe(pass: Pass, now: number): boolean {
    if (this.#closedPass !== NO_PASS) return false;
    this.#settle(now);
    return this.#probes.delete(pass);
  }

  /** Does what time, or a change of the options, has made due. */
  #settle(now: number): void {
    if (this.#closedPass !== NO_PASS) return;
    if (!this.#opened) {
      const overdue = Math.min(...this.#probes.values());
      if (overdue <= now) this.#open(overdue, 'its probe had no answer in time');
      else if (this.#proven >= this.#spec.value.probes) return this.#close();
    }
    if (this.#opened) {
      const openUntil = this.#openUntil();
      if (now < openUntil) return;
      this.#engine.probe(openUntil - this.#openedAt);
      this.#turned?.('halfOpen', undefined);
    }
  }

  #judge(spec: BreakerSpec, now: number): void {
    const { successes, failures, slow } = this.#window;
    const calls = successes + failures;
    if (calls < spec.volumeThreshold) return;
    const failing = 100 * failures >= spec.errorThresholdPercentage * calls;
    const slowing = spec.slowCallDurationMs !== undefined && 100 * slow >= spec.slowCallPercentage * calls;
    if (failing) this.#open(now, `${failures} of ${calls} calls failed`);
    else if (slowing) this.#open(now, `${slow} of ${calls} calls were slow`);
  }

  #openUntil(): number {
    const { openMs, maxOpenMs } = this.#spec.value;
    const doubled = openMs * 2 ** Math.min(this.#openings - 1, MOST_DOUBLINGS);
    return this.#openedAt + Math.min(maxOpenMs, doubled) * this.#stretch;
  }

  #open(at: number, why: string): void {
    this.#closedPass = NO_PASS;
    this.#probes.clear();
    this.#proven = 0;
    this.#openings++;
    this.#openedAt = at;
    this.#stretch = 1 + JITTER * this.#random();
    this.#engine.open();
    this.#turned?.('open', why);
  }

  #close(): void {
    this.#closedPass = ++this.#serial;
    this.#probes.clear();
    this.#proven = 0;
    this.#openings = 0;
    // What was counted led to the opening; kept, one later failure would be enough to open again.
    this.#window.clear();
    this.#engine.close();
    this.#turned?.('closed', 'its probes succeeded');
  }
}
