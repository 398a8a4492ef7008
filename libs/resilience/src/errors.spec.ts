import {
  BulkheadFull,
  CircuitOpen,
  Code,
  DeadlineExceeded,
  RateLimited,
  RetriesExhausted,
  ServiceError,
} from '@holdfast/core';
import { NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { codeOfError, countsAsFailure, isRefusal } from './blame.js';
import { exhausted, isRetryable, retrySpec } from './retry.js';

const down = () => new ServiceError(Code.UNAVAILABLE, 'down');
const fields = (error: object, more: object) => Object.assign(error, more);

describe('the code of what a call was thrown', () => {
  it.each<[string, unknown, Code]>([
    ['a ServiceError', new ServiceError(Code.INTERNAL, 'x'), Code.INTERNAL],
    ['an exception of Nest', new NotFoundException(), Code.NOT_FOUND],
    ['another', new ServiceUnavailableException(), Code.UNAVAILABLE],
    ['a gRPC client’s error', fields(new Error('x'), { code: 14, details: 'x' }), Code.UNAVAILABLE],
    ['an error of Node.js', fields(new Error('x'), { code: 'ECONNREFUSED', details: 'x' }), Code.UNKNOWN],
    ['an error with a number of its own', fields(new Error('x'), { code: 14 }), Code.UNKNOWN],
    ['one with details alone', fields(new Error('x'), { details: 'x' }), Code.UNKNOWN],
    ['an object that is no error', { code: 14, details: 'x' }, Code.UNKNOWN],
    ['a bug', new TypeError('x'), Code.UNKNOWN],
    ['nothing', undefined, Code.UNKNOWN],
  ])('%s', (_what, error, code) => {
    expect(codeOfError(error)).toBe(code);
  });
});

describe('a failure of the target', () => {
  const refusals = [
    new CircuitOpen('x'),
    new BulkheadFull('x'),
    new RateLimited('x'),
    new ServiceError(Code.UNAVAILABLE, 'from afar', { reason: 'CIRCUIT_OPEN' }),
  ];

  it.each(refusals)('is no refusal, here or at the far end: %s', (refusal) => {
    expect(isRefusal(refusal)).toBe(true);
    expect(countsAsFailure(refusal)).toBe(false);
  });

  it('is all else but the caller’s own mistake', () => {
    expect([down(), new TypeError('a bug'), new NotFoundException()].map(countsAsFailure)).toEqual([true, true, false]);
    expect(isRefusal(down())).toBe(false);
    expect(isRefusal({ reason: 'CIRCUIT_OPEN' })).toBe(false);
  });
});

describe('a retry', () => {
  it('is made after any of its codes', () => {
    const spec = retrySpec.parse({ codes: ['ABORTED', 'UNAVAILABLE'] });
    const codes = [Code.ABORTED, Code.UNAVAILABLE, Code.INTERNAL];
    expect(codes.map((code) => isRetryable(new ServiceError(code, 'x'), spec))).toEqual([true, true, false]);
  });

  it('in vain is told by the error, once', () => {
    const told = exhausted(down());
    expect(told).toBeInstanceOf(RetriesExhausted);
    expect(exhausted(told)).toBe(told);
  });

  it('in vain leaves a late answer what callers know it as', () => {
    const late = new DeadlineExceeded('late');
    expect(exhausted(late)).toBeInstanceOf(DeadlineExceeded);
    expect(exhausted(late)).toMatchObject({ message: 'late', retriesExhausted: true, cause: late });
  });

  it('in vain leaves an error that is not ours as it is', () => {
    const refused = fields(new Error('refused'), { code: 14, details: 'x' });
    expect(exhausted(refused)).toBe(refused);
  });
});
