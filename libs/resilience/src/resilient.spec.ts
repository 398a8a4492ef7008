import { Code, Cell, ServiceError } from '@holdfast/core';
import { FakeClock, settle } from '@holdfast/testing';
import { Controller, Get, Injectable, Module, Scope, SetMetadata, type DynamicModule } from '@nestjs/common';
import { ContextIdFactory } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { concat, firstValueFrom, lastValueFrom, NEVER, Observable, of, throwError, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Resilience, ResilienceModule, Resilient, type ResilienceOptions } from './index.js';

const down = () => new ServiceError(Code.UNAVAILABLE, 'down');

@Injectable()
class Users {
  readonly greeting: string = 'Hello';
  asked: string[] = [];

  @Resilient('users.get', { bulkhead: { limit: 3 }, fallback: 'nobody' })
  async get(name: string): Promise<string> {
    this.asked.push(name);
    if (name === 'down') throw down();
    return `${this.greeting}, ${name}`;
  }

  nobody(name: string, error: unknown): string {
    return `${this.greeting}, whoever is ${name}: ${(error as Error).message}`;
  }

  /** Calls itself, on the same object. */
  async both(a: string, b: string): Promise<string[]> {
    return [await this.get(a), await this.get(b)];
  }

  @Resilient('users.list')
  list(...names: string[]): Observable<string> {
    return of(...names);
  }

  @Resilient('users.watch', {
    idempotent: true,
    retry: { initialDelay: 0 },
    fallback: { value: 'late' },
    timeout: '1s',
  })
  watch(source: Observable<string>) {
    this.asked.push('watched');
    return source;
  }
}

@Injectable()
class Admins extends Users {
  override readonly greeting = 'Welcome';
}

@Injectable({ scope: Scope.REQUEST })
class Visitors extends Users {}

/** Made by a factory, so Nest injects nothing into it. */
class Guests extends Users {}

@Controller('users')
class UsersController {
  @Get()
  @SetMetadata('role', 'admin')
  @Resilient('controller.get')
  async get(): Promise<string> {
    return 'fine';
  }
}

const providers = [Users, Admins, Visitors, { provide: Guests, useFactory: () => new Guests() }];
let clock: FakeClock;
let app: TestingModule;

const start = (...extra: (DynamicModule | (new () => object))[]) =>
  Test.createTestingModule({
    imports: [ResilienceModule.forRoot({ clock }), ...extra],
    controllers: [UsersController],
    providers,
  }).compile();
const started = (name: string) => app.get(Resilience).states()[name]!.calls.started;

beforeEach(async () => {
  clock = new FakeClock();
  app = await start();
  await app.init();
});

afterEach(async () => {
  await app.close();
  expect(clock.pending).toBe(0);
});

describe('@Resilient', () => {
  it('takes each call through the policies, with its own arguments and object', async () => {
    const users = app.get(Users);
    expect(await Promise.all([users.get('alice'), users.get('bob')])).toEqual(['Hello, alice', 'Hello, bob']);
    expect(await users.get('down')).toBe('Hello, whoever is down: down');
    expect(app.get(Resilience).states()['users.get']!.calls).toMatchObject({ started: 3, ok: 2, fallback: 1 });
  });

  it('also when the class calls itself', async () => {
    await app.get(Users).both('a', 'b');
    expect(started('users.get')).toBe(2);
  });

  it('works in subclasses, request scope and for what a factory has made, as one set of policies', async () => {
    expect(await app.get(Admins).get('alice')).toBe('Welcome, alice');
    const scope = ContextIdFactory.create();
    const visitors = await Promise.all([
      app.resolve(Visitors, scope),
      app.resolve(Visitors, ContextIdFactory.create()),
    ]);
    expect(visitors[0]).not.toBe(visitors[1]);
    for (const visitor of visitors) expect(await visitor.get('bob')).toBe('Hello, bob');
    expect(await app.get(Guests).get('carol')).toBe('Hello, carol');
    expect(started('users.get')).toBe(4);
  });

  it('has policies of its own in each container', async () => {
    const other = await start();
    await other.init();
    await app.get(Users).get('alice');
    await other.get(Users).get('alice');
    await other.get(Users).get('bob');
    expect(started('users.get')).toBe(1);
    await other.close();
  });

  it('keeps what others read from a method: name, length, metadata', () => {
    const { get } = UsersController.prototype;
    expect([get.name, get.length]).toEqual(['get', 0]);
    expect(Reflect.getMetadata('role', get)).toBe('admin');
    expect(Reflect.getMetadata('path', get)).toBe('/');
    expect(Users.prototype.get.length).toBe(1);
  });

  it('leaves an object that nobody gave to Nest as the class is', async () => {
    expect(await new Users().get('alice')).toBe('Hello, alice');
    await expect(new Users().get('down')).rejects.toThrow('down');
  });
});

describe('a method that returns an Observable', () => {
  it('gives one, and each subscription is a call', async () => {
    const users = app.get(Users);
    const names = users.list('alice', 'bob');
    expect(started('users.list')).toBe(0);
    expect(await lastValueFrom(names.pipe(toArray()))).toEqual(['alice', 'bob']);
    expect(await firstValueFrom(names)).toBe('alice');
    await settle();
    expect(app.get(Resilience).states()['users.list']!.calls).toMatchObject({ started: 2, ok: 2 });
  });

  it('is found out at the first call where the type does not say so, and counted once', async () => {
    const users = app.get(Users);
    expect(await lastValueFrom(users.watch(of('a', 'b')).pipe(toArray()))).toEqual(['a', 'b']);
    expect(app.get(Resilience).states()['users.watch']!.calls).toMatchObject({ started: 1, ok: 1 });
  });

  it('is repeated, or answered otherwise, only while nobody has seen a value', async () => {
    const users = app.get(Users);
    await lastValueFrom(users.watch(of('a')));
    let subscriptions = 0;
    const flaky = new Observable<string>((subscriber) => {
      if (++subscriptions < 3) subscriber.error(down());
      else subscriber.next('third time');
      subscriber.complete();
    });
    const answer = lastValueFrom(users.watch(flaky).pipe(toArray()));
    await clock.advance(500);
    expect(await answer).toEqual(['third time']);
    const seen: string[] = [];
    const broken = concat(of('a'), throwError(down));
    await expect(users.watch(broken).forEach((value) => void seen.push(value))).rejects.toThrow('down');
    expect(seen).toEqual(['a']);
  });

  it('has its subscription ended by the deadline, and by who leaves', async () => {
    const users = app.get(Users);
    await lastValueFrom(users.watch(of('a')));
    let open = 0;
    const endless = new Observable<string>((subscriber) => {
      open++;
      subscriber.add(() => open--);
      subscriber.add(NEVER.subscribe());
    });
    const late = lastValueFrom(users.watch(endless));
    const left = users.watch(endless).subscribe();
    expect(open).toBe(2);
    left.unsubscribe();
    expect(open).toBe(1);
    await clock.advance(1_010);
    expect(await late).toBe('late');
    expect(open).toBe(0);
  });
});

describe('wrong options', () => {
  const appWith = (options: ResilienceOptions, name = 'wrong') => {
    @Injectable()
    class Wrong {
      async get(): Promise<void> {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Wrong.prototype, 'get')!;
    Resilient(name, options as object)(Wrong.prototype, 'get', descriptor);
    Object.defineProperty(Wrong.prototype, 'get', descriptor);
    @Module({ providers: [Users, Wrong] })
    class WrongModule {}
    return async () => {
      const other = await start(WrongModule);
      await other.init();
    };
  };

  it.each<[string, object]>([
    ['there is no option timeouts; write one of', { timeouts: '1s' }],
    ['there is no option bulkhead.max; write one of limit, queue, maxWait.', { bulkhead: { limit: 1, max: 2 } }],
    ["timeout must be a duration from 1ms to 60m, such as '250ms', '1s'", { timeout: '1 sec' }],
    ['timeout must be a duration', { timeout: 0 }],
    ['bulkhead.limit is wrong: ', { bulkhead: { limit: 0 } }],
    ['attemptTimeout must not be above timeout: write 1000ms or less', { timeout: '1s', attemptTimeout: '2s' }],
    ['retry does the work more than once: write idempotent: true', { retry: {} }],
    ['hedge does the work more than once: write idempotent: true', { hedge: { delay: 10 } }],
    ['hedge cannot be combined with retry', { idempotent: true, retry: {}, hedge: { delay: 10 } }],
    ['hedge never comes to its second attempt', { idempotent: true, attemptTimeout: 10, hedge: { delay: 10 } }],
    ['fallbackOn needs a fallback', { fallbackOn: () => true }],
    ['key is for cache and coalesce', { key: () => '' }],
    ['fallback must be the name of a method', { fallback: { values: 1 } }],
    ['breaker.maxOpenMs must not be below openMs', { breaker: { openMs: 100, maxOpenMs: 10 } }],
  ])('fail the start with a sentence: %s', async (sentence, options) => {
    await expect(appWith(options)).rejects.toThrow(`@Resilient('wrong') on Wrong.get: ${sentence}`);
  });

  it('fail the start where one name says two things', async () => {
    await expect(appWith({ bulkhead: { limit: 4 } }, 'users.get')).rejects.toThrow(
      "@Resilient('users.get') on Wrong.get: bulkhead is not what @Resilient('users.get') on Users.get says",
    );
  });

  it('of run fail the call', async () => {
    const resilience = new Resilience({ clock, specOf: (_name, defaults) => new Cell(defaults) });
    const run = (options?: object) => resilience.run('job', async () => 1, options);
    await expect(run()).rejects.toThrow("Resilience.run('job'): nothing has that name yet");
    await expect(run({ timeout: '-1s' })).rejects.toThrow("Resilience.run('job'): timeout must be");
    await expect(run({ fallback: 'other' })).rejects.toThrow('cannot be the name of a method');
    expect(await run({ timeout: '1s' })).toBe(1);
    expect(await run({ timeout: 1_000 })).toBe(1);
    expect(await run()).toBe(1);
    await expect(run({ timeout: '2s' })).rejects.toThrow("timeout is not what Resilience.run('job') says");
    resilience.close();
  });
});
