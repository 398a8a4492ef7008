import { CallContext } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { LogEntry } from './log-entry.js';
import { ServiceLogger } from './service-logger.js';

function logging(level: 'error' | 'warn' | 'log' | 'debug' = 'log') {
  const lines: Record<string, unknown>[] = [];
  const to = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { lines, logger: new ServiceLogger({ name: 'gateway', id: 'gateway-1' }, { level, to }) };
}

describe('ServiceLogger', () => {
  it('writes a line with the process, the context and the text', () => {
    const { lines, logger } = logging();
    logger.log('It serves.', 'Service');
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        service: 'gateway',
        instance: 'gateway-1',
        context: 'Service',
        msg: 'It serves.',
      },
    ]);
  });

  it('names the request and the trace that a line is about', () => {
    const { lines, logger } = logging();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    CallContext.run(new CallContext({ requestId: 'r-1', trace: { traceparent } }), () => logger.warn('slow'));
    CallContext.run(new CallContext({ requestId: 'r-2' }), () =>
      logger.log(new LogEntry('done', { status: 200 }), 'Http'),
    );
    const ids = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' };
    expect(lines[0]).toMatchObject({ level: 'warn', request_id: 'r-1', ...ids });
    expect(lines[1]).toMatchObject({ level: 'info', context: 'Http', request_id: 'r-2', status: 200, msg: 'done' });
    expect(lines[1]).not.toHaveProperty('trace_id');
  });

  it('changes its level while it serves', () => {
    const { lines, logger } = logging('warn');
    logger.log('unheard');
    logger.setLevel('debug');
    logger.debug('heard');
    logger.setLevel('error');
    logger.warn('unheard');
    expect(lines.map(({ msg }) => msg)).toEqual(['heard']);
  });

  it('takes an error with its stack in all the ways that Nest has', () => {
    const { lines, logger } = logging();
    const error = new TypeError('boom');
    logger.error(error, 'Problem');
    logger.error('boom', error.stack, 'RpcServer');
    logger.error('boom', error.stack);
    for (const line of lines) {
      expect(line).toMatchObject({ level: 'error', msg: 'boom', err: { stack: error.stack } });
    }
    expect(lines.map(({ context }) => context)).toEqual(['Problem', 'RpcServer', undefined]);
  });

  it('tells of an error that ends the start only once, elsewhere, and of assembly only whoever debugs', () => {
    const { lines, logger } = logging('debug');
    logger.error(new Error('no provider'), 'ExceptionHandler');
    logger.log('UsersModule dependencies initialized', 'InstanceLoader');
    expect(lines.map(({ level }) => level)).toEqual(['debug']);
  });

  it('has no secret in a line, whatever it is given', () => {
    const { lines, logger } = logging('debug');
    const cause = new Error('connect to redis://user:hunter2@127.0.0.1 failed');
    logger.log('etcd://root:hunter2@127.0.0.1:2379 answers; Authorization: Bearer hunter2');
    logger.warn({ user: 'alice', headers: { Authorization: 'hunter2', cookie: 'hunter2' }, body: 'hunter2' }, 'Any');
    logger.error(new Error('GET /x?token=hunter2 failed', { cause }));
    logger.log('two', { db_password: 'hunter2' }, ['hunter2'.length, { apiKey: 'hunter2' }], 'Any');
    logger.log(new LogEntry('login?password=hunter2', { method: 'GET' }));
    logger.debug(new Map([['session_id', 'hunter2']]));
    expect(lines).toHaveLength(6);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    expect(lines[1]).toMatchObject({ data: { user: 'alice', body: '[redacted]' } });
  });

  it('writes no more of a value than a line can take', () => {
    const { lines, logger } = logging();
    const deep: Record<string, unknown> = {};
    deep['self'] = deep;
    logger.log({ deep, many: Array.from({ length: 10_000 }, (_, n) => n), bytes: new Uint8Array(9), big: 9n });
    logger.log('x'.repeat(1_000_000));
    expect(JSON.stringify(lines[0]).length).toBeLessThan(2_000);
    expect(JSON.stringify(lines[1]).length).toBeLessThan(10_000);
  });
});
