import { Cancelled, Code, DeadlineExceeded, RateLimited, ServiceError } from '@holdfast/core';
import { BadRequestException, ForbiddenException, Logger, NotFoundException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { decodeError, encodeError } from './error-details.js';
import { handlerError } from './server/handler-error.js';

const overTheWire = (error: ServiceError) => {
  const { code, message, details } = encodeError(error, 'user.v1.UserService');
  return decodeError(code, message, details);
};

/** An encoded detail: its type, and the rest in hex. */
const any = (type: string, value: string) => {
  const url = `type.googleapis.com/google.rpc.${type}`;
  const bytes = Buffer.from(value.replaceAll(' ', ''), 'hex');
  const body = Buffer.concat([Buffer.from([0x0a, url.length]), Buffer.from(url), bytes]);
  return Buffer.concat([Buffer.from([0x1a, body.length]), body]);
};

describe('the wire form of errors', () => {
  it('brings everything back', () => {
    const error = new RateLimited('slow down', { retryAfterMs: 61_000.25 });
    expect(overTheWire(error)).toMatchObject({
      code: Code.RESOURCE_EXHAUSTED,
      message: 'slow down',
      reason: 'RATE_LIMITED',
      retryAfterMs: 61_000.25,
    });
  });

  it('is what any gRPC client reads: google.rpc.Status with ErrorInfo, RetryInfo and BadRequest', () => {
    const violations = [{ field: 'name', description: 'is taken' }];
    const error = new ServiceError(Code.ALREADY_EXISTS, 'no', { reason: 'TAKEN', retryAfterMs: 1_500, violations });
    const bytes = encodeError(error, 'd').details ?? Buffer.alloc(0);
    const expected = Buffer.concat([
      Buffer.from([0x08, Code.ALREADY_EXISTS]),
      any('ErrorInfo', '120a 0a0554414b454e 120164'),
      any('RetryInfo', '120a 0a08 0801 1080cab5ee01'),
      any('BadRequest', '1212 0a10 0a046e616d65 120869732074616b656e'),
    ]);
    expect(bytes.toString('hex')).toBe(expected.toString('hex'));
  });

  it('has no details where code and message say it all', () => {
    expect(encodeError(new ServiceError(Code.NOT_FOUND, 'no'), 'd').details).toBeUndefined();
  });

  it('has classes of its own for the two ways to run out of time or patience', () => {
    expect(overTheWire(new DeadlineExceeded('late'))).toBeInstanceOf(DeadlineExceeded);
    expect(overTheWire(new Cancelled('gone'))).toBeInstanceOf(Cancelled);
  });

  it('keeps the code and message of an error whose details are broken', () => {
    expect(decodeError(5, 'no', Buffer.from([0xff, 0xff]))).toMatchObject({ code: 5, message: 'no' });
    expect(decodeError(99, 'odd', undefined)).toMatchObject({ code: Code.UNKNOWN });
  });

  it('never says OK', () => {
    expect(encodeError(new ServiceError(Code.OK, 'odd'), 'd').code).toBe(Code.UNKNOWN);
  });

  it('can always be written as UTF-8', () => {
    const { message } = encodeError(new ServiceError(Code.ABORTED, `${'x'.repeat(1_999)}🙂 and on`), 'd');
    expect(() => encodeURI(message)).not.toThrow();
  });
});

describe('handlerError', () => {
  afterEach(() => void vi.restoreAllMocks());

  it.each([
    [new NotFoundException('no such user'), Code.NOT_FOUND, 'no such user'],
    [new ForbiddenException(), Code.PERMISSION_DENIED, 'Forbidden'],
    [
      new BadRequestException(['name must be short', 'age must be a number']),
      Code.INVALID_ARGUMENT,
      'name must be short; age must be a number',
    ],
    [new RpcException({ code: Code.ABORTED, message: 'again' }), Code.ABORTED, 'again'],
    [new RpcException('some text'), Code.UNKNOWN, 'some text'],
    [new RpcException('Forbidden resource'), Code.PERMISSION_DENIED, 'Forbidden resource'],
    [{ status: 'error', message: 'Internal server error' }, Code.INTERNAL, 'Internal error'],
    [{ code: Code.DATA_LOSS, details: 'torn' }, Code.DATA_LOSS, 'torn'],
  ])('keeps what was meant for the caller: %o', (thrown, code, message) => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    expect(handlerError(thrown)).toMatchObject({ code, message });
    expect(logged).not.toHaveBeenCalled();
  });

  it('logs a defect with its stack, once, and hides it', () => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const defect = new TypeError('secret');
    const seen = handlerError(defect);
    expect(seen).toMatchObject({ code: Code.INTERNAL, message: 'Internal error', cause: defect });
    expect(handlerError(seen)).toBe(seen);
    expect(logged.mock.calls).toEqual([['secret', defect.stack]]);
  });
});
