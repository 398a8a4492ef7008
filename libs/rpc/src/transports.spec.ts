import { describe, expect, it } from 'vitest';
import { transportChoice, Transports } from './transports.js';

describe('the transports of a process', () => {
  it('are one for all targets, but for those that are named', () => {
    const transports = new Transports('h2 user-service=grpc-js', {});
    expect(transports.usual).toBe('h2');
    expect([transports.to(), transports.to('books'), transports.to('user-service')].map(({ name }) => name)).toEqual([
      'h2',
      'h2',
      'grpc-js',
    ]);
    expect(transports.to('books')).toBe(transports.to('users'));
  });

  it.each(['', 'http', 'h2,grpc-js', 'user-service=h2', 'h2 user-service=h3', 'h2 user service=h2'])(
    'cannot be chosen by "%s"',
    (choice) => expect(choice).not.toMatch(transportChoice),
  );
});
