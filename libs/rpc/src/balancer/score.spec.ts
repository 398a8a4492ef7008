import { beforeEach, describe, expect, it } from 'vitest';
import { Member } from './member.js';
import { Score } from './score.js';

describe('Score', () => {
  let score: Score;
  let member: Member;
  let now: number;

  /** Calls that end well after `ms`, a second's worth of them. */
  const answer = (one: Member, ms: number, times = 10) => {
    for (let n = 0; n < times; n++) {
      one.begin(now, true);
      now += ms;
      one.end(now, true, true);
      one.measure(ms, now);
      one.judge(true, now);
      score.note(ms, true);
    }
  };

  beforeEach(() => {
    now = 1_000;
    score = new Score();
    member = new Member('m', {});
  });

  it('is the latency that was measured, times the calls in flight, by weight', () => {
    answer(member, 10);
    expect(score.of(member, now)).toBeCloseTo(11, 6);
    member.begin(now, true);
    expect(score.of(member, now)).toBeCloseTo(22, 6);
    member.weight = 4;
    expect(score.of(member, now)).toBeCloseTo(5.5, 6);
  });

  it('is worse by the square of the success', () => {
    answer(member, 10);
    member.success = 0.5;
    member.judge(true, now);
    expect(score.of(member, now)).toBeCloseTo(11 / member.success ** 2, 6);
    member.success = 0;
    member.judge(false, now);
    expect(score.of(member, now)).toBeCloseTo(11 / 0.05 ** 2, 3);
  });

  it('of who has not answered yet is the usual one', () => {
    answer(member, 10);
    expect(score.of(new Member('new', {}), now)).toBeCloseTo(11, 6);
  });

  it('counts the time that an answer has been owed as latency, once it is longer than any measured or usual', () => {
    answer(member, 10);
    member.begin(now, true);
    expect(score.of(member, now + 10)).toBeCloseTo(2 * 11, 6);
    expect(score.of(member, now + 100)).toBeCloseTo(2 * 101, 6);
    const slow = new Member('slow', {});
    answer(slow, 200, 1);
    slow.begin(now, true);
    expect(score.of(slow, now + 150)).toBeCloseTo(2 * 201, 6);
  });

  it('counts no silence of a stream, and none from before the last answer', () => {
    answer(member, 10);
    member.begin(now, false);
    expect(score.of(member, now + 1_000)).toBeCloseTo(2 * 11, 6);
    member.begin(now, true);
    member.begin(now, true);
    member.end(now + 990, true, true);
    expect(score.of(member, now + 1_000)).toBeCloseTo(3 * 11, 6);
  });

  it('forgets what was poor in one that gets no calls, by half in 15 s', () => {
    answer(member, 10, 300);
    const poor = new Member('poor', {});
    answer(poor, 110, 1);
    poor.success = 0.5;
    poor.slowness = 444;
    expect(score.of(poor, poor.pickedAt + 3_000)).toBe(444);
    const usual = score.usualMs;
    const half = usual + (110 - usual) / 2;
    expect(score.of(poor, poor.pickedAt + 15_000)).toBeCloseTo((half + 1) / 0.75 ** 2, 6);
    expect(score.of(poor, poor.pickedAt + 10_000_000)).toBeCloseTo(usual + 1, 0);
  });

  it('makes nobody better than he is for being left alone', () => {
    answer(member, 10, 300);
    const quick = new Member('quick', {});
    answer(quick, 1, 1);
    expect(score.of(quick, now + 60_000)).toBeCloseTo(2, 6);
  });

  it('has one tried that was left alone for 3 s: once, then after 200 calls or 10 s', () => {
    answer(member, 10, 1);
    const alone = () => score.isOverdue(member, now);
    expect(alone()).toBe(false);
    now += 3_001;
    expect(alone()).toBe(true);
    expect(alone()).toBe(false);
    for (let n = 0; n < 198; n++) score.note(10, true);
    expect(alone()).toBe(false);
    for (let n = 0; n < 3; n++) score.note(10, true);
    expect(alone()).toBe(true);
    now += 9_999;
    expect(alone()).toBe(false);
    now += 2;
    expect(alone()).toBe(true);
    member.begin(now, true);
    now += 60_000;
    expect(alone()).toBe(false);
  });

  it('is worth a longer way where it is three times as good, or nobody knows any more', () => {
    const [near, far] = [new Member('near', {}), new Member('far', {})];
    answer(near, 100);
    answer(far, 40);
    expect(score.isMuchBetter(far, near, now)).toBe(false);
    far.latencyMs = 30;
    far.slowness = 31;
    expect(score.isMuchBetter(far, near, now)).toBe(true);
    far.latencyMs = 500;
    far.slowness = 501;
    expect(score.isMuchBetter(far, near, now)).toBe(false);
    expect(score.isMuchBetter(far, near, far.pickedAt + 3_001)).toBe(true);
    expect(score.isMuchBetter(far, near, far.pickedAt + 3_001)).toBe(false);
  });
});
