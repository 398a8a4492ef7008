import { describe, expect, it } from 'vitest';
import { readable } from './log-line.js';

describe('readable', () => {
  it('puts a JSON log entry into words', () => {
    const entry = { level: 'warn', pid: 7, timestamp: 1, message: 'The registry is silent.', context: 'Discovery' };
    expect(readable(JSON.stringify(entry))).toEqual(['WARN [Discovery] The registry is silent.']);
    expect(readable(JSON.stringify({ level: 'log', message: { users: 3 } }))).toEqual(['LOG {"users":3}']);
  });

  it('shows the stack of an error below it', () => {
    const entry = { level: 'error', message: 'boom', stack: 'Error: boom\n    at here' };
    expect(readable(JSON.stringify(entry))).toEqual(['ERROR boom', 'Error: boom', '    at here']);
  });

  it.each(['plain words', '', '{ half', '{"message":"no level"}', '{"level":3,"message":"x"}', 'null'])(
    'leaves %j as it is',
    (line) => expect(readable(line)).toEqual([line]),
  );
});
