import { Code, NoInstances, ServiceError } from '@holdfast/core';
import { Resilience, ResilienceModule } from '@holdfast/resilience';
import { FakeClock } from '@holdfast/testing';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsersClient } from './users.client.js';

let app: TestingModule;
let clock: FakeClock;
let answer: () => Promise<never>;

const users = { getUser: () => answer(), createUser: () => answer() };

beforeEach(async () => {
  clock = new FakeClock();
  app = await Test.createTestingModule({
    imports: [ResilienceModule.forRoot({ clock })],
    providers: [UsersClient],
  })
    // The one thing that is not provided: the client of the user service.
    .useMocker(() => users)
    .compile();
  await app.init();
});

afterEach(() => app.close());

describe('UsersClient, when the user service fails', () => {
  // #region demo
  it('greets the default user in the shape of any user', async () => {
    answer = () => Promise.reject(new NoInstances('user-service'));
    expect(await app.get(UsersClient).get('alice')).toEqual({
      user: { name: 'alice' },
      message: 'Hello, default user',
      servedBy: 'gateway',
    });
  });

  it('does so after a second, and with no more than 100 calls at a time', async () => {
    let asked = 0;
    answer = () => {
      asked++;
      return new Promise(() => {});
    };
    const answers = Promise.all(Array.from({ length: 150 }, () => app.get(UsersClient).get('alice')));
    await clock.advance(1_010);
    expect(new Set((await answers).map(({ message }) => message))).toEqual(new Set(['Hello, default user']));
    expect(asked).toBe(100);
    expect(app.get(Resilience).states()['users.get']!.calls).toMatchObject({ started: 150, fallback: 150 });
  });

  // #endregion
  it('gives up after a second, and has no more than 100 calls under way', async () => {
    let asked = 0;
    answer = () => {
      asked++;
      return new Promise(() => {});
    };
    const ended = Promise.allSettled(Array.from({ length: 150 }, () => app.get(UsersClient).create('dave')));
    await clock.advance(1_010);
    expect(new Set((await ended).map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(asked).toBe(100);
    expect(app.get(Resilience).states()['users.create']!.calls).toMatchObject({ started: 150, full: 50, timeout: 100 });
  });

  it('passes on that there is no such user, and never makes up that one was created', async () => {
    const missing = new ServiceError(Code.NOT_FOUND, 'There is no user named "dave".');
    answer = () => Promise.reject(missing);
    await expect(app.get(UsersClient).get('dave')).rejects.toBe(missing);
    const gone = new NoInstances('user-service');
    answer = () => Promise.reject(gone);
    await expect(app.get(UsersClient).create('dave')).rejects.toBe(gone);
  });
});
