import { describe, expect, it } from 'vitest';
import { compressionChoice, connectionsChoice, transportChoice, Transports } from './transports.js';

describe('the transports of a process', () => {
  it('are one for all targets, but for those that are named', () => {
    const transports = new Transports({ transport: 'h2 user-service=grpc-js' }, {});
    expect(transports.usual).toEqual({ name: 'h2', compression: 'none' });
    expect([transports.to(), transports.to('books'), transports.to('user-service')].map(({ name }) => name)).toEqual([
      'h2',
      'h2',
      'grpc-js',
    ]);
    expect(transports.to('books')).toBe(transports.to('users'));
  });

  it('are others for targets that pack, or are to have more connections', () => {
    const choices = { transport: 'h2', compression: 'none books=gzip', connections: '1  books=2 users=2' };
    const transports = new Transports(choices, {});
    expect(new Set([undefined, 'books', 'users'].map((target) => transports.to(target))).size).toBe(3);
    expect(transports.to('mail')).toBe(transports.to());
  });

  it.each(['', 'http', 'h2,grpc-js', 'user-service=h2', 'h2 user-service=h3', 'h2 user service=h2'])(
    'cannot be chosen by "%s"',
    (choice) => expect(choice).not.toMatch(transportChoice),
  );

  it.each(['', 'deflate', 'gzip=none', 'none books=1'])('cannot be packed by "%s"', (choice) =>
    expect(choice).not.toMatch(compressionChoice),
  );

  it.each(['', '0', '9', '1 books=none'])('cannot have "%s" connections', (choice) =>
    expect(choice).not.toMatch(connectionsChoice),
  );
});
