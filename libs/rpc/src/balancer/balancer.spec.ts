import { seededRandom } from '@holdfast/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Balancer, type Probes } from './balancer.js';
import { Member, type Listed } from './member.js';
import type { Outcome } from './outcome.js';
import type { PickCall } from './pick-call.js';
import type { BalancerName } from './picker.js';

const patient: PickCall = { patienceMs: 1_000, idempotent: true };

const slowInA = (member: Member): [Outcome, number] => ['success', member.zone === 'a' ? 100 : 10];

describe('Balancer', () => {
  const clock = { ms: 0, now: () => clock.ms };
  let balancer: Balancer;
  let members: Member[];
  let scheduled: { member: Member; pauseMs: number }[];

  const probes: Probes<Member> = {
    schedule: (_balancer, member, pauseMs) => void scheduled.push({ member, pauseMs }),
    forget: () => undefined,
  };
  const join = (address: string, listed: Listed = {}) => {
    const member = new Member(address, listed);
    members.push(member);
    balancer.join(member);
    balancer.setConnected(member, true);
    return member;
  };
  const open = (count: number, picker: BalancerName = 'p2c_ewma', zone?: string) => {
    balancer = new Balancer({ picker, clock, random: seededRandom(7), probes, zone });
    members = [];
    scheduled = [];
    for (let n = 0; n < count; n++) join(`m${n}`);
  };
  /** One call, which takes `ms` and ends so; where nothing is said, after 10 ms and well. */
  const call = (end: (member: Member) => [Outcome, number] = () => ['success', 10], asked: PickCall = patient) => {
    const member = balancer.pick(asked)!;
    const [outcome, ms] = end(member);
    clock.ms += ms;
    balancer.done(member, outcome, ms, asked);
    return member;
  };
  const sharesOf = (calls: number, end?: Parameters<typeof call>[0]) => {
    const counts = new Map(members.map((member) => [member, 0]));
    for (let n = 0; n < calls; n++) {
      const member = call(end);
      counts.set(member, counts.get(member)! + 1);
    }
    return [...counts.values()].map((count) => count / calls);
  };
  const fail = (member: Member, times: number, outcome: Outcome = 'failure', ms = 1) => {
    for (let n = 0; n < times; n++) {
      member.begin(clock.ms, true);
      clock.ms += ms;
      balancer.done(member, outcome, ms, patient);
    }
  };
  const standings = () => members.map(({ standing }) => standing);

  beforeEach(() => {
    clock.ms = 1_000;
    open(3);
  });

  it('has nobody for a call while nobody is connected', () => {
    for (const member of members) balancer.setConnected(member, false);
    expect(balancer.pick()).toBeUndefined();
  });

  it('spreads calls over members that are alike, one after the other', () => {
    for (const share of sharesOf(3_000)) expect(share).toBeCloseTo(1 / 3, 1);
  });

  it('takes a call that nobody waited for any longer for one that took at least so long', () => {
    sharesOf(100);
    const [slow] = members as [Member];
    slow.begin(clock.ms, true);
    clock.ms += 200;
    balancer.done(slow, 'ignored', 200, patient);
    expect(slow.latencyMs).toBeGreaterThan(50);
    const before = slow.latencyMs;
    slow.begin(clock.ms, true);
    clock.ms += 2;
    balancer.done(slow, 'ignored', 2, patient);
    expect(slow.latencyMs).toBe(before);
  });

  it('finds one that was not tried among many of which half were', () => {
    open(60);
    const tried = new Set(members.slice(0, 30).map(({ address }) => address));
    let wasted = 0;
    for (let n = 0; n < 1_000; n++) {
      const member = balancer.pick({ ...patient, tried })!;
      balancer.done(member, 'success', 10, patient);
      if (tried.has(member.address)) wasted++;
    }
    expect(wasted).toBeLessThan(120);
  });

  it('gives a slow one little, without ejecting it, and its share again once it is well', () => {
    const [slow] = members as [Member];
    sharesOf(300);
    const [share] = sharesOf(1_000, (member) => ['success', member === slow ? 100 : 10]);
    expect(share).toBeLessThan(0.25 / 3);
    expect(standings()).toEqual(['in', 'in', 'in']);
    const end = clock.ms + 25_000;
    while (clock.ms < end) call();
    expect(sharesOf(1_000)[0]).toBeGreaterThan(0.8 / 3);
  });

  it('does not take one that fails fast for a fast one', () => {
    open(2);
    const [bad] = members as [Member];
    sharesOf(100);
    bad.begin(clock.ms, true);
    balancer.done(bad, 'failure', 0.1, patient);
    expect(bad.latencyMs).toBeCloseTo(10);
    expect(bad.success).toBeLessThan(1);
  });

  describe('ejects', () => {
    it('after five failures in a row, and never more than half', () => {
      fail(members[0]!, 4);
      expect(standings()).toEqual(['in', 'in', 'in']);
      fail(members[0]!, 1);
      expect(standings()).toEqual(['out', 'in', 'in']);
      expect(members[0]!.why).toBe('5 failures in a row');
      expect(sharesOf(300)[0]).toBe(0);
      expect(balancer.panic).toBe(false);
    });

    it('after two time-outs in a row, and not after one with an answer in between', () => {
      fail(members[0]!, 1, 'timeout', 500);
      fail(members[0]!, 1, 'success', 10);
      fail(members[0]!, 1, 'timeout', 500);
      expect(standings()).toEqual(['in', 'in', 'in']);
      fail(members[0]!, 1, 'timeout', 500);
      expect(standings()).toEqual(['out', 'in', 'in']);
    });

    it('for a poor success rate', () => {
      sharesOf(100);
      for (let n = 0; n < 60; n++) {
        fail(members[0]!, 1, n % 2 ? 'success' : 'failure', 10);
        fail(members[1]!, 5, 'success', 10);
      }
      expect(members[0]!.why).toMatch(/% of its calls succeed/);
    });

    it('not for the caller’s own mistakes, refusals for want of capacity, and calls that nobody waited for', () => {
      for (const outcome of ['mistake', 'overload', 'ignored'] as const) fail(members[0]!, 50, outcome, 100);
      expect(standings()).toEqual(['in', 'in', 'in']);
      expect(sharesOf(300)[0]).toBeLessThan(0.1);
    });

    it('not for time-outs of callers who give less time than an answer takes', () => {
      sharesOf(100, () => ['success', 100]);
      fail(members[0]!, 50, 'timeout', 150);
      expect(standings()).toEqual(['in', 'in', 'in']);
    });

    it('who owes an answer for longer than calls may take, while others answer, before any of them has timed out', () => {
      sharesOf(100);
      const [hung] = members as [Member];
      hung.begin(clock.ms, true);
      const end = clock.ms + 1_050;
      while (clock.ms < end) expect(call()).not.toBe(hung);
      const alone = balancer.pick({ ...patient, tried: new Set(['m1', 'm2']) });
      expect(alone).not.toBe(hung);
      expect(hung).toMatchObject({
        standing: 'out',
        why: expect.stringMatching(/^no answer for 1\d\d\d ms$/) as string,
      });
    });

    it('nobody for a silence of less than half a second, however impatient its callers are', () => {
      sharesOf(100);
      const [late] = members as [Member];
      const hasty: PickCall = { patienceMs: 50, idempotent: true };
      late.begin(clock.ms, true);
      const startedAt = clock.ms;
      while (clock.ms < startedAt + 490) call(() => ['success', 5], hasty);
      for (let n = 0; n < 5; n++) balancer.pick({ ...hasty, tried: new Set(['m1', 'm2']) });
      expect(late.standing).toBe('in');
      clock.ms += 20;
      fail(members[1]!, 1, 'success', 5);
      balancer.pick({ ...hasty, tried: new Set(['m1', 'm2']) });
      expect(late.standing).toBe('out');
    });

    it('at its first time-out who gave no answer at all meanwhile, while others did', () => {
      sharesOf(100);
      const [hung] = members as [Member];
      hung.begin(clock.ms, true);
      const startedAt = clock.ms;
      while (clock.ms < startedAt + 600) fail(members[1]!, 1, 'success', 10);
      balancer.done(hung, 'timeout', clock.ms - startedAt, { patienceMs: 600 });
      expect(hung).toMatchObject({ standing: 'out', why: 'no answer for 600 ms' });
    });

    it.each([
      ['just answered an older call, as it may have before it hung', 20, 'out'],
      ['answered another call meanwhile: one that is not like the others takes long', 30, 'in'],
    ])('at its first time-out, or not, who %s', (_, answeredAfterMs, standing) => {
      sharesOf(100);
      const [member] = members as [Member];
      member.begin(clock.ms, true);
      member.begin(clock.ms, true);
      clock.ms += answeredAfterMs;
      balancer.done(member, 'success', answeredAfterMs, patient);
      for (let n = 0; n < 57; n++) fail(members[2]!, 1, 'success', 10);
      clock.ms += 30 - answeredAfterMs;
      balancer.done(member, 'timeout', 600, { patienceMs: 600 });
      expect(member.standing).toBe(standing);
    });

    it('nobody at a time-out for the silence of half of it, however long answers usually take', () => {
      sharesOf(100, () => ['success', 290]);
      const [member] = members as [Member];
      member.begin(clock.ms, true);
      member.begin(clock.ms, true);
      clock.ms += 310;
      balancer.done(member, 'success', 310, patient);
      clock.ms += 280;
      fail(members[2]!, 1, 'success', 10);
      balancer.done(member, 'timeout', 600, { patienceMs: 600 });
      expect(member.standing).toBe('in');
    });

    it('nobody at one time-out of a call that had no bound, whose silence nobody has measured', () => {
      sharesOf(100);
      const [member] = members as [Member];
      member.begin(clock.ms, false);
      for (let n = 0; n < 60; n++) fail(members[2]!, 1, 'success', 10);
      balancer.done(member, 'timeout', 600, {});
      expect(member.standing).toBe('in');
    });

    it('nobody for silence after a standstill of this process, in which nobody answered', () => {
      for (const member of members) member.begin(clock.ms, true);
      clock.ms += 60_000;
      for (let n = 0; n < 20; n++) balancer.pick(patient);
      expect(standings()).toEqual(['in', 'in', 'in']);
    });

    it('one of two, and not the last', () => {
      open(2);
      fail(members[0]!, 5);
      expect(sharesOf(50)).toEqual([0, 1]);
      fail(members[1]!, 5);
      expect(balancer.panic).toBe(true);
      const shares = sharesOf(200, () => ['failure', 1]);
      for (const share of shares) expect(share).toBeGreaterThan(0.1);
    });

    it('nobody any more once more than half would be out, until fewer are', () => {
      fail(members[0]!, 5);
      fail(members[1]!, 5);
      expect(balancer.panic).toBe(true);
      const seen = new Set(Array.from({ length: 50 }, () => balancer.pick(patient)));
      expect(seen.size).toBe(3);
      fail(members[1]!, 1, 'success', 10);
      expect(balancer.panic).toBe(false);
      expect(standings()).toEqual(['out', 'in', 'in']);
    });

    it('fewer when others lose their connections: half of those that are connected', () => {
      fail(members[0]!, 5);
      balancer.setConnected(members[1]!, false);
      expect(balancer.pick(patient)).toBe(members[2]);
      balancer.setConnected(members[2]!, false);
      expect(balancer.pick(patient)).toBe(members[0]);
    });
  });

  describe('takes back', () => {
    let bad: Member;
    beforeEach(() => {
      sharesOf(200);
      bad = members[0]!;
      fail(bad, 5);
    });

    it('who passes a probe, with few calls at first, and ejects it at its next failure', () => {
      expect(scheduled).toHaveLength(1);
      clock.ms += 20_000;
      balancer.probing(bad);
      expect(sharesOf(100)[0]).toBe(0);
      balancer.readmit(bad);
      expect(balancer.isWarming(bad)).toBe(true);
      const [share] = sharesOf(100);
      expect(share).toBeLessThan(0.1 / 3);
      fail(bad, 1);
      expect(bad).toMatchObject({ standing: 'out', why: 'failed again on its return' });
    });

    it('after a pause of up to a second at first and half a minute at last', () => {
      for (let n = 0; n < 8; n++) {
        clock.ms += 30_000;
        balancer.probing(bad);
        balancer.extend(bad);
      }
      const pauses = scheduled.map(({ pauseMs }) => pauseMs);
      expect(pauses[0]).toBeGreaterThanOrEqual(500);
      expect(pauses[0]).toBeLessThanOrEqual(1_000);
      expect(pauses[2]).toBeGreaterThanOrEqual(2_000);
      for (const pause of pauses.slice(-2)) expect(pause).toBeGreaterThanOrEqual(15_000);
      for (const pause of pauses) expect(pause).toBeLessThanOrEqual(30_000);
    });

    it('after short pauses again who was well for a minute', () => {
      for (let n = 0; n < 6; n++) {
        balancer.readmit(bad);
        clock.ms += 30_000;
        fail(bad, 5);
      }
      expect(scheduled.at(-1)!.pauseMs).toBeGreaterThan(10_000);
      balancer.readmit(bad);
      clock.ms += 61_000;
      fail(bad, 5);
      expect(scheduled.at(-1)!.pauseMs).toBeLessThanOrEqual(1_000);
    });

    it('who cannot be asked by one idempotent call, and no second one beside it', () => {
      balancer.probing(bad);
      balancer.tryByCall(bad);
      expect(balancer.pick({ patienceMs: 1_000 })).not.toBe(bad);
      expect(balancer.pick({ ...patient, tried: new Set([bad.address]) })).not.toBe(bad);
      expect(balancer.pick(patient)).toBe(bad);
      for (let n = 0; n < 50; n++) expect(balancer.pick(patient)).not.toBe(bad);
      clock.ms += 10;
      balancer.done(bad, 'success', 10, patient);
      expect(bad.standing).toBe('in');
    });

    it('nobody whose one call failed', () => {
      balancer.probing(bad);
      balancer.tryByCall(bad);
      expect(balancer.pick(patient)).toBe(bad);
      clock.ms += 10;
      balancer.done(bad, 'failure', 10, patient);
      expect(bad.standing).toBe('out');
      expect(scheduled).toHaveLength(2);
    });

    it('nothing that ends after an ejection but began before it changes anything', () => {
      clock.ms += 100;
      balancer.readmit(bad);
      bad.begin(clock.ms, true);
      balancer.done(bad, 'failure', 90, patient);
      expect(bad.standing).toBe('in');
    });

    it('at once who is another process at the same address', () => {
      balancer.renew(bad);
      expect(bad).toMatchObject({ standing: 'in', ejections: 0, onProbation: false, samples: 0 });
    });
  });

  describe('slow start', () => {
    it('lets a new member have at most a tenth of its share for each second of its age, and all after 10 s', () => {
      sharesOf(200);
      clock.ms += 60_000;
      sharesOf(100);
      const fresh = join('fresh');
      const startedAt = clock.ms;
      const perSecond = Array.from({ length: 12 }, () => ({ all: 0, fresh: 0 }));
      while (clock.ms < startedAt + 12_000) {
        const second = perSecond[Math.floor((clock.ms - startedAt) / 1_000)]!;
        second.all++;
        if (call(() => ['success', 1]) === fresh) second.fresh++;
      }
      for (const [age, { all, fresh: got }] of perSecond.slice(0, 10).entries()) {
        expect(got / all).toBeLessThanOrEqual(0.1 * (age + 1) * 0.25 + 0.02);
      }
      expect(perSecond[0]!.fresh).toBeGreaterThan(0);
      expect(perSecond[11]!.fresh / perSecond[11]!.all).toBeGreaterThan(0.8 * 0.25);
    });

    it('knows no new ones where all came together', () => {
      clock.ms += 300;
      join('a little later');
      clock.ms += 3_000;
      for (const share of sharesOf(2_000)) expect(share).toBeGreaterThan(0.15);
    });

    it('does not follow a connection that was lost for a moment', () => {
      clock.ms += 60_000;
      balancer.setConnected(members[0]!, false);
      clock.ms += 100;
      balancer.setConnected(members[0]!, true);
      expect(balancer.isWarming(members[0]!)).toBe(false);
      balancer.setConnected(members[0]!, false);
      clock.ms += 10_000;
      balancer.setConnected(members[0]!, true);
      clock.ms += 1;
      expect(balancer.isWarming(members[0]!)).toBe(true);
    });
  });

  describe('further attempts', () => {
    it.each(['p2c_ewma', 'round_robin', 'random', 'least_request', 'weighted', 'consistent_hash'] as const)(
      'by %s go where the call has not been, as long as there is such a member',
      (picker) => {
        open(3, picker);
        for (let n = 0; n < 100; n++) {
          expect(balancer.pick({ hashKey: `k${n}`, tried: new Set(['m0', 'm2']) })).toBe(members[1]);
          expect(balancer.pick({ hashKey: `k${n}`, tried: new Set(['m0', 'm1', 'm2']) })).toBeDefined();
        }
      },
    );
  });

  describe('zones', () => {
    const near = () => members.filter(({ zone }) => zone === 'a');
    const nearShareOf = (calls: number, end?: Parameters<typeof call>[0]) => {
      let count = 0;
      for (let n = 0; n < calls; n++) if (call(end).zone === 'a') count++;
      return count / calls;
    };
    beforeEach(() => {
      open(0, 'p2c_ewma', 'a');
      for (let n = 0; n < 8; n++) join(`z${n}`, { zone: n < 4 ? 'a' : 'b' });
    });

    it('keep calls in the own zone, but for a look at the others clock.ms and then', () => {
      expect(nearShareOf(2_000)).toBeGreaterThan(0.97);
    });

    it('spill over in proportion when less than 71 % of the own zone takes calls', () => {
      balancer.setConnected(near()[0]!, false);
      expect(nearShareOf(1_000)).toBeGreaterThan(0.97);
      balancer.setConnected(near()[1]!, false);
      expect(nearShareOf(2_000)).toBeCloseTo(0.7, 1);
      for (const member of near()) balancer.setConnected(member, false);
      expect(nearShareOf(100)).toBe(0);
    });

    it('spill over when the own one is clearly worse', () => {
      nearShareOf(500);
      nearShareOf(300, slowInA);
      expect(nearShareOf(1_000, slowInA)).toBeLessThan(0.2);
    });

    it('mean nothing to a process without one', () => {
      open(0);
      for (let n = 0; n < 8; n++) join(`z${n}`, { zone: n < 4 ? 'a' : 'b' });
      expect(nearShareOf(2_000)).toBeCloseTo(0.5, 1);
    });
  });

  it('weighted gives shares by weight, and follows a change of it', () => {
    open(0, 'weighted');
    const [light] = [join('light', { weight: 1 }), join('heavy', { weight: 9 })];
    expect(sharesOf(5_000)[0]).toBeCloseTo(0.1, 1);
    balancer.relist(light, { weight: 9 });
    expect(sharesOf(5_000)[0]).toBeCloseTo(0.5, 1);
  });

  it('says who had which share of the last seconds', () => {
    open(2, 'round_robin');
    sharesOf(100);
    expect(balancer.sharesOf(members)).toEqual([0.5, 0.5]);
    clock.ms += 20_000;
    expect(balancer.sharesOf(members)).toEqual([0, 0]);
  });
});
