import { seededRandom } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Balancer } from './balancer.js';
import { Member } from './member.js';
import { Prober, type Health } from './prober.js';

describe('Prober', () => {
  let clock: FakeClock;
  let prober: Prober<Member>;
  let balancer: Balancer;
  let member: Member;
  let reports: ((health: Health) => void)[];

  beforeEach(() => {
    clock = new FakeClock();
    reports = [];
    prober = new Prober(clock, (_member, report) => void reports.push(report));
    balancer = new Balancer({ picker: 'p2c_ewma', clock, random: seededRandom(1), probes: prober });
    for (const address of ['bad', 'good']) {
      const joining = new Member(address, {});
      balancer.join(joining);
      balancer.setConnected(joining, true);
      if (address === 'bad') member = joining;
    }
    for (let n = 0; n < 5; n++) {
      member.begin(0, true);
      balancer.done(member, 'failure', 0, { patienceMs: 1_000 });
    }
  });

  it('asks one time when the pause is over, and lets back who is well', async () => {
    expect(member.standing).toBe('out');
    await clock.advance(499);
    expect(reports).toHaveLength(0);
    await clock.advance(501);
    expect(reports).toHaveLength(1);
    expect(member.standing).toBe('probing');
    await clock.advance(60_000);
    expect(reports).toHaveLength(1);
    reports[0]!('serving');
    expect(member.standing).toBe('in');
    expect(clock.pending).toBe(0);
  });

  it('asks again later who is not', async () => {
    await clock.advance(1_000);
    reports[0]!('failing');
    expect(member.standing).toBe('out');
    await clock.advance(999);
    expect(reports).toHaveLength(1);
    await clock.advance(1_001);
    expect(reports).toHaveLength(2);
  });

  it('waits for a call where the member has no health to ask for, and lets it back without after 10 s', async () => {
    await clock.advance(1_000);
    reports[0]!('unknown');
    expect(member.standing).toBe('trial');
    await clock.advance(9_999);
    expect(member.standing).toBe('trial');
    await clock.advance(1);
    expect(member).toMatchObject({ standing: 'in', onProbation: true });
  });

  it('does not have one tried who is back by the time of the report', async () => {
    await clock.advance(1_000);
    balancer.readmit(member);
    reports[0]!('unknown');
    expect(clock.pending).toBe(0);
  });

  it('forgets who has left', () => {
    balancer.leave(member);
    expect(clock.pending).toBe(0);
  });
});
