/**
 * How much of what costs a peer nothing it may do: a bucket that fills by time. Unlike a count per second it forgives a
 * burst, and unlike a total it never ends a connection for its age.
 * Algorithm: token bucket (Turner, "New directions in communications", IEEE Communications 24/10, 1986).
 */
export class Allowance {
  readonly #perMs: number;
  readonly #burst: number;
  #left: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#left = burst;
    this.#at = now;
  }

  /** Takes one. @param now on the connection's clock, in milliseconds. @returns false where there is none left */
  take(now: number): boolean {
    if (this.#left < 1) {
      this.#left = Math.min(this.#burst, this.#left + (now - this.#at) * this.#perMs);
      this.#at = now;
      if (this.#left < 1) return false;
    }
    this.#left--;
    return true;
  }

  /** Gives some back, for something useful that happened. */
  earn(count: number): void {
    this.#left = Math.min(this.#burst, this.#left + count);
  }
}
