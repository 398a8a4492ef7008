import { BadGatewayException, ForbiddenException, Logger } from '@nestjs/common';
import { Code, codeFacts, NoInstances, ServiceError } from '@holdfast/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { problemOf, sendProblem, type Reply } from './problem.js';

class Answer implements Reply {
  sent = false;
  status = 0;
  readonly headers: Record<string, string> = {};
  body = '';
  code(status: number) {
    this.status = status;
    return this;
  }
  header(name: string, value: string) {
    this.headers[name] = value;
    return this;
  }
  send(body: string) {
    this.body = body;
    this.sent = true;
  }
}

const secret = 'There is no connection to 10.1.2.3:50051: ECONNREFUSED.';

describe('a problem', () => {
  beforeAll(() => Logger.overrideLogger(false));

  it.each(Object.entries(codeFacts).filter(([, { blame }]) => blame === 'server'))(
    'of code %s tells nothing of what is behind the edge',
    (code, { http, name }) => {
      const error = new ServiceError(Number(code) as Code, secret, { reason: 'LINK_FAILURE' });
      const problem = problemOf(error);
      expect(problem).toMatchObject({ status: http, code: name, reason: 'LINK_FAILURE' });
      expect(JSON.stringify(problem)).not.toContain('10.1.2.3');
    },
  );

  it.each([[new TypeError(secret)], [new BadGatewayException(secret)], [secret], [undefined]])('nor of %s', (error) => {
    expect(JSON.stringify(problemOf(error))).not.toContain('10.1.2.3');
    expect(problemOf(error).status).toBeGreaterThanOrEqual(500);
  });

  it('says in a service’s own words what the client did wrong', () => {
    expect(problemOf(new ServiceError(Code.NOT_FOUND, 'There is no user "x".')).detail).toBe('There is no user "x".');
    expect(problemOf(new ForbiddenException('Not for you.'))).toMatchObject({ status: 403, detail: 'Not for you.' });
  });

  it.each([
    [new NoInstances('users', { retryAfterMs: 1_001 }), { 'retry-after': '2' }],
    [new ServiceError(Code.UNAUTHENTICATED, '', { reason: 'MISSING_TOKEN' }), { 'www-authenticate': 'Bearer' }],
    [
      new ServiceError(Code.UNAUTHENTICATED, '', { reason: 'INVALID_TOKEN' }),
      { 'www-authenticate': 'Bearer error="invalid_token"' },
    ],
    [
      new ServiceError(Code.PERMISSION_DENIED, '', { reason: 'INSUFFICIENT_SCOPE' }),
      { 'www-authenticate': 'Bearer error="insufficient_scope"' },
    ],
  ])('comes with what the client can do about it: %s', (error, headers) => {
    const answer = new Answer();
    sendProblem(error, answer);
    expect(answer.headers).toEqual({ 'content-type': 'application/problem+json', ...headers });
    expect(JSON.parse(answer.body)).toMatchObject({ status: answer.status });
  });

  it('is not written over an answer that has begun', () => {
    const answer = new Answer();
    answer.sent = true;
    sendProblem(new NoInstances('users'), answer);
    expect(answer).toMatchObject({ status: 0, body: '' });
  });
});
