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

  it('tries again within half a second where a call broke that had been under way for a second, but not twice', async () => {
    let cut: ((error: Error) => void) | undefined;
    const hanging = () => new Promise<string>((_, reject) => (cut = reject));
    void ask('one', () => new Promise(() => undefined));
    const watch = expect(ask('two', hanging)).rejects.toThrow('reset');
    await clock.advance(1_000);
    cut!(new Error('reset'));
    await watch;
    const again = expect(ask('again', refuse)).rejects.toThrow('connection refused');
    await clock.advance(500);
    expect(asked).toEqual(['one', 'two', 'again']);
    await again;
    const last = ask('last');
    await clock.advance(999);
    expect(asked).toHaveLength(3);
    await clock.advance(4_001);
    expect(await last).toBe('last');
  });

  it('counts an outage once, however many calls it ends', async () => {
    const cuts: ((error: Error) => void)[] = [];
    const hanging = () => new Promise<string>((_, reject) => cuts.push(reject));
    const watches = Array.from({ length: 10 }, () => expect(ask('watch', hanging)).rejects.toThrow('reset'));
    await settle();
    for (const cut of cuts) cut(new Error('reset'));
    await Promise.all(watches);
    const next = ask('next');
    await clock.advance(2_000);
    expect(await next).toBe('next');
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
