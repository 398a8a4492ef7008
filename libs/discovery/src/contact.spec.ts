import { seededRandom } from '@holdfast/core';
import { FakeClock, settle } from '@holdfast/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { Contact } from './contact.js';

const refuse = () => Promise.reject(new Error('connection refused'));

describe('Contact', () => {
  const { signal } = new AbortController();
  let clock: FakeClock;
  let contact: Contact;
  /** What was asked, in order. */
  let asked: string[];

  const ask = (name: string, answer: () => Promise<string> = async () => name) =>
    contact.call(() => {
      asked.push(name);
      return answer();
    }, signal);

  beforeEach(() => {
    clock = new FakeClock();
    contact = new Contact(clock, seededRandom(3));
    asked = [];
  });

  it('lets calls pass side by side while the registry answers', async () => {
    void ask('hangs', () => new Promise(() => undefined));
    expect(await ask('next')).toBe('next');
    expect(contact.state.value.status).toBe('up');
  });

  it('sends a single test while the registry is down, however long that takes, and then lets the others go', async () => {
    await expect(ask('first', refuse)).rejects.toThrow('connection refused');
    let answer: ((value: string) => void) | undefined;
    const test = ask('test', () => new Promise((resolve) => (answer = resolve)));
    const others = [ask('b'), ask('c')];
    await clock.advance(60_000);
    expect(asked).toEqual(['first', 'test']);
    answer!('back');
    expect(await test).toBe('back');
    await clock.advance(100);
    expect(await Promise.all(others)).toEqual(['b', 'c']);
    expect(contact.state.value.status).toBe('up');
  });

  it('leaves nothing scheduled when a caller gives up its turn', async () => {
    await expect(ask('first', refuse)).rejects.toThrow('connection refused');
    const controller = new AbortController();
    const waiting = expect(contact.call(refuse, controller.signal)).rejects.toThrow('gone');
    await settle();
    controller.abort(new Error('gone'));
    await waiting;
    expect(clock.pending).toBe(0);
  });
});
