/**
 * All policies by hand in one function, none of them configurable, and each of them as little as it can be: the floor. The
 * deadline is a place in a ring that a shared timer sweeps; the clock is read twice.
 */
export function make({ call, fallback }) {
  const limit = 1_000;
  const ratePerMs = 1e6;
  let tokens = 1e6;
  let refilledAt = performance.now();
  let inFlight = 0;
  let open = false;
  let calls = 0;
  let failures = 0;
  const slots = Array.from({ length: 64 }, () => new Set());
  const refusal = new Error('The breaker is open.');

  async function attempt(name, started) {
    const slot = slots[((started + 1_000) >> 4) & 63];
    const call1 = { deadline: started + 1_000 };
    slot.add(call1);
    inFlight++;
    try {
      const result = await call(name);
      calls++;
      return result;
    } catch (error) {
      calls++;
      if (++failures * 2 > calls && calls > 20) open = true;
      throw error;
    } finally {
      inFlight--;
      slot.delete(call1);
    }
  }

  async function run(name) {
    const started = performance.now();
    tokens = Math.min(1e6, tokens + (started - refilledAt) * ratePerMs) - 1;
    refilledAt = started;
    try {
      if (open || inFlight >= limit || tokens < 0) throw refusal;
      return await attempt(name, started);
    } catch (error) {
      if (!fallback) throw error;
      return { name: 'default user' };
    }
  }
  return { run, prefill: 100 };
}
