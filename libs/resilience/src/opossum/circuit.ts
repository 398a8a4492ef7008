import CircuitBreaker from 'opossum';

/** What opossum's metrics packages count; a stock circuit gives these names because it listens to them itself. */
const events = ['fire', 'success', 'failure', 'timeout', 'reject', 'open', 'halfOpen', 'close'] as const;

const action = () => Promise.reject(new Error('This circuit is for reading: Breaker decides which calls go out.'));

type Inner = Record<symbol, symbol>;
// opossum enters its half-open state by a timer on the machine's clock only, or when it is made in that state. So the state
// is learned from a circuit that is made in it, once, and entered when our clock says so.
const specimen = new CircuitBreaker(action, {
  state: { closed: false, halfOpen: true },
} as CircuitBreaker.Options) as unknown as CircuitBreaker & Inner;
const stateKey = Object.getOwnPropertySymbols(specimen).find(({ description }) => description === 'state')!;
const halfOpenState = specimen[stateKey]!;
specimen.shutdown();

/**
 * opossum's circuit without its ways of deciding: it holds the state, announces it, and shows the counts. Its own listeners
 * are taken off, because they start timers and close on any success, even of a call from before the opening.
 */
export class Circuit extends CircuitBreaker<[], never> {
  constructor(name: string, status: CircuitBreaker.Status) {
    super(action, { name, status, timeout: false, enableSnapshots: false });
    this.removeAllListeners();
  }

  /** From open to half-open. `openedMs` is how long it was open. */
  probe(openedMs: number): void {
    (this as unknown as Inner)[stateKey] = halfOpenState;
    this.emit('halfOpen', openedMs);
  }

  override eventNames(): (string | symbol)[] {
    return [...new Set([...events, ...super.eventNames()])];
  }
}
