import { describe, expect, it } from 'vitest';
import { connectionWindowBytes, ConnectionWindow } from './connection-window.js';
import { ConnectionError } from './frames.js';

const mebibyte = 1_048_576;

describe('the window of a connection', () => {
  it('opens again as DATA comes, though nobody takes it, until too much is held', () => {
    let granted = 0;
    const window = new ConnectionWindow((bytes) => (granted += bytes));
    let received = 0;
    // A peer that sends all that it may.
    while (received < connectionWindowBytes + granted) {
      const bytes = Math.min(16_384, connectionWindowBytes + granted - received);
      received += bytes;
      window.receive(bytes);
    }
    expect(received).toBeGreaterThan(16 * mebibyte);
    expect(received).toBeLessThanOrEqual(18 * mebibyte);
    expect(() => window.receive(1)).toThrow(ConnectionError);
  });

  it('opens when what was held is taken', () => {
    let granted = 0;
    const window = new ConnectionWindow((bytes) => (granted += bytes));
    for (let received = 0; received < connectionWindowBytes + granted; received += mebibyte / 4) {
      window.receive(mebibyte / 4);
    }
    const before = granted;
    window.take(4 * mebibyte);
    expect(granted).toBeGreaterThan(before);
  });
});
