import { Cancelled, Code, DeadlineExceeded, RateLimited, ServiceError, systemClock } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { Attempts } from './attempts.js';
import { LinkFailure } from './transport.js';

const outcomeOf = (error: unknown, reason?: unknown) => {
  const controller = new AbortController();
  const attempts = new Attempts({ signal: controller.signal }, systemClock, true, true, undefined);
  if (reason !== undefined) controller.abort(reason);
  return attempts.outcomeOf(error);
};

describe('how an attempt ended, for its instance', () => {
  it.each([
    ['a lost connection', new LinkFailure('gone', 'maybe'), 'failure'],
    ['UNAVAILABLE', new ServiceError(Code.UNAVAILABLE, 'no'), 'failure'],
    ['INTERNAL', new ServiceError(Code.INTERNAL, 'no'), 'failure'],
    ['no answer in time', new DeadlineExceeded('late'), 'timeout'],
    ['RESOURCE_EXHAUSTED', new RateLimited('enough'), 'overload'],
    [
      'a message too large',
      new ServiceError(Code.RESOURCE_EXHAUSTED, 'no', { reason: 'MESSAGE_TOO_LARGE' }),
      'mistake',
    ],
    ['NOT_FOUND', new ServiceError(Code.NOT_FOUND, 'no'), 'mistake'],
    ['an error of the caller’s own', new TypeError('no'), 'ignored'],
  ])('%s', (_name, error, outcome) => {
    expect(outcomeOf(error)).toBe(outcome);
  });

  it('is nothing that counts where the caller took the call back, which is no answer of the instance', () => {
    const gone = new Cancelled('The client has gone.');
    expect(outcomeOf(gone, gone)).toBe('ignored');
    expect(outcomeOf(new ServiceError(Code.INTERNAL, 'no'), new Error('gone'))).toBe('ignored');
  });

  it('is a time-out where the time that the caller’s policies gave has passed', () => {
    const late = new DeadlineExceeded('The attempt took too long.');
    expect(outcomeOf(late, late)).toBe('timeout');
  });
});
