import { describe, expect, it } from 'vitest';
import { forTerminal, readable } from './log-line.js';

describe('readable', () => {
  it('puts a JSON log entry into words', () => {
    const entry = {
      level: 'warn',
      service: 'gateway',
      time: '…',
      msg: 'The registry is silent.',
      context: 'Discovery',
    };
    expect(readable(JSON.stringify(entry))).toEqual(['WARN [Discovery] The registry is silent.']);
    expect(readable(JSON.stringify({ level: 'info', msg: { users: 3 } }))).toEqual(['INFO {"users":3}']);
  });

  it('shows the stack of an error below it', () => {
    const entry = { level: 'error', msg: 'boom', err: { stack: 'Error: boom\n    at here' } };
    expect(readable(JSON.stringify(entry))).toEqual(['ERROR boom', 'Error: boom', '    at here']);
  });

  it.each(['plain words', '', '{ half', '{"msg":"no level"}', '{"level":3,"msg":"x"}', 'null'])(
    'leaves %j as it is',
    (line) => expect(readable(line)).toEqual([line]),
  );
});
const line = (level: string) => JSON.stringify({ level, time: '2026-11-22T20:01:02.003Z', msg: 'It is so.' });

describe('forTerminal', () => {
  it('begins with the time of day', () => {
    expect(forTerminal(line('info'), false)).toBe('20:01:02.003 INFO It is so.');
  });

  it('has colours only where asked, and only for what is wrong', () => {
    expect(forTerminal(line('error'), false)).toBe('20:01:02.003 ERROR It is so.');
    expect(forTerminal(line('info'), true)).toBe('20:01:02.003 INFO It is so.');
  });

  it('leaves what is no log entry', () => {
    expect(forTerminal('node: warning', true)).toBe('node: warning');
  });
});
