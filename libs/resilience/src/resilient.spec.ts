import { getEventListeners } from 'node:events';
import { CallContext, Cancelled, Cell, Code, ServiceError, StartupError } from '@holdfast/core';
import { FakeClock, settle } from '@holdfast/testing';
import { Controller, Get, Injectable, Logger, Module, Scope, SetMetadata, type DynamicModule } from '@nestjs/common';
import { ContextIdFactory } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { concat, firstValueFrom, lastValueFrom, NEVER, Observable, of, throwError, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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

/** The object of `type` in an app of its own. */
const made = async <T extends object>(type: new () => T): Promise<T> => {
  await app.close();
  app = await Test.createTestingModule({
    imports: [ResilienceModule.forRoot({ clock })],
    providers: [type],
  }).compile();
  await app.init();
  return app.get(type);
};

describe('what a method returns, where its class is new', () => {
  class Source {
    bodies = 0;
    subscriptions = 0;

    watch() {
      this.bodies++;
      return new Observable<string>((subscriber) => {
        this.subscriptions++;
        subscriber.next('a');
        subscriber.complete();
      });
    }
  }

  it('is an Observable from the first call on where the type says so: no body runs before it is subscribed to', async () => {
    class Typed extends Source {
      @Resilient('new.typed')
      override watch(): Observable<string> {
        return super.watch();
      }
    }
    const source = await made(Typed);
    const values = source.watch();
    expect(source.bodies).toBe(0);
    expect(await lastValueFrom(values)).toBe('a');
    expect(source).toMatchObject({ bodies: 1, subscriptions: 1 });
  });

  it('is found out by the first body that runs, which is no call; every other is one', async () => {
    class Untyped extends Source {
      @Resilient('new.untyped')
      override watch() {
        return super.watch();
      }
    }
    const source = await made(Untyped);
    const left = CallContext.run(new CallContext({ signal: AbortSignal.abort() }), () => source.watch());
    await expect(left).rejects.toBeInstanceOf(Cancelled);
    expect(source.bodies).toBe(0);
    expect(await lastValueFrom(source.watch())).toBe('a');
    expect(source).toMatchObject({ bodies: 2, subscriptions: 1 });
    expect(await lastValueFrom(source.watch())).toBe('a');
    expect(source).toMatchObject({ bodies: 3, subscriptions: 2 });
    expect(app.get(Resilience).states()['new.untyped']!.calls).toMatchObject({ started: 3, ok: 2, cancelled: 1 });
  });

  it('is a promise where the first call gave no Observable', async () => {
    class Counter {
      bodies = 0;

      @Resilient('new.counter')
      async count(): Promise<number> {
        return ++this.bodies;
      }
    }
    const counter = await made(Counter);
    expect(await counter.count()).toBe(1);
    expect(await counter.count()).toBe(2);
  });

  it('may be an Observable of the fallback', async () => {
    class Failing {
      @Resilient('new.failing', { fallback: 'instead' })
      watch(): Observable<string> {
        return throwError(down);
      }

      instead(): Observable<string> {
        return of('b', 'c');
      }
    }
    const failing = await made(Failing);
    expect(await lastValueFrom(failing.watch().pipe(toArray()))).toEqual(['b', 'c']);
  });

  it('cannot be an Observable where it is cached or coalesced', async () => {
    class Shared {
      @Resilient('new.shared', { coalesce: true })
      watch(): Observable<string> {
        return of('a');
      }
    }
    const shared = await made(Shared);
    await expect(lastValueFrom(shared.watch())).rejects.toThrow('can be neither cached nor coalesced');
  });

  it('listens for the end of its call no longer than it lasts', async () => {
    const signals: AbortSignal[] = [];
    class Listening {
      @Resilient('new.listening')
      watch(): Observable<string> {
        signals.push(CallContext.current()!.signal);
        return of('a');
      }
    }
    const listening = await made(Listening);
    const caller = new CallContext({ signal: new AbortController().signal });
    expect(await CallContext.run(caller, () => lastValueFrom(listening.watch()))).toBe('a');
    expect(signals.map((signal) => getEventListeners(signal, 'abort'))).toEqual([[]]);
  });

  it('ends with the caller of whoever subscribes', async () => {
    class Endless {
      stopped = 0;

      @Resilient('new.endless', { timeout: '1s' })
      watch(): Observable<string> {
        return new Observable(() => () => this.stopped++);
      }
    }
    const endless = await made(Endless);
    const caller = new AbortController();
    const values = CallContext.run(new CallContext({ signal: caller.signal }), () => lastValueFrom(endless.watch()));
    const ended = expect(values).rejects.toEqual(new Cancelled('left'));
    caller.abort(new Cancelled('left'));
    await ended;
    expect(endless.stopped).toBe(1);
  });

  it('keeps name, length and metadata of the method, as changeable as they were', () => {
    class Plain {
      async greet(_name: string, _greeting: string): Promise<void> {}
    }
    const original = Object.getOwnPropertyDescriptor(Plain.prototype, 'greet')!;
    SetMetadata('role', 'admin')(Plain.prototype, 'greet', original);
    const descriptor = { ...original };
    Resilient('new.plain')(Plain.prototype, 'greet', descriptor);
    const method = descriptor.value as object;
    expect(method).not.toBe(original.value);
    for (const key of ['name', 'length']) {
      expect(Object.getOwnPropertyDescriptor(method, key)).toEqual(
        Object.getOwnPropertyDescriptor(original.value, key),
      );
    }
    expect(Reflect.getMetadata('role', method)).toBe('admin');
  });

  it('goes without policies where nobody gave the object to Nest, which is said once for each class', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    class Alone {
      @Resilient('new.alone', { fallback: { value: 'never' } })
      async get(): Promise<string> {
        throw down();
      }
    }
    for (let n = 0; n < 2; n++) await expect(new Alone().get()).rejects.toThrow('down');
    expect(warn.mock.calls).toEqual([[expect.stringContaining("@Resilient('new.alone') on Alone.get")]]);
    warn.mockRestore();
  });
});

describe('the start of an app', () => {
  it('makes the policies of every method, so that wrong ones and operators find them', async () => {
    class Pair {
      @Resilient('new.one')
      async one(): Promise<void> {}

      @Resilient('new.two')
      async two(): Promise<void> {}
    }
    await made(Pair);
    expect(Object.keys(app.get(Resilience).states())).toEqual(['new.one', 'new.two']);
  });

  it('leaves alone what has no such methods: values of any kind, frozen ones too', async () => {
    const values = [null, undefined, 0, 'text', Object.freeze({}), () => 1];
    const other = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ clock })],
      providers: values.map((useValue, n) => ({ provide: `value${n}`, useValue })),
    }).compile();
    await expect(other.init()).resolves.toBe(other);
    await other.close();
  });
});

const decorate = (target: object, key: string) => () =>
  Resilient('job')(target as never, key, Object.getOwnPropertyDescriptor(target, key) as never);

describe('what cannot be resilient', () => {
  it('is told where the class is made', () => {
    class Odd {
      static async all(): Promise<void> {}
      get one(): Promise<number> {
        return Promise.resolve(1);
      }
    }
    expect(decorate(Odd, 'all')).toThrow("@Resilient('job') on Function.all: it is static; write it on a method of an");
    expect(decorate(Odd.prototype, 'one')).toThrow("@Resilient('job') on Odd.one: it is no method; write it on one.");
  });
});

describe('the sentence about a wrong option', () => {
  const sentence = async (options: object) => {
    const resilience = new Resilience({ clock });
    const error = await resilience.run('job', () => 1, options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartupError);
    return (error as StartupError).message;
  };

  it.each<[object, string]>([
    [{ timeout: 0 }, "timeout must be a duration from 1ms to 60m, such as '250ms', '1s' or a number of milliseconds."],
    [
      { bulkhead: { limit: 1, queue: -1 } },
      'bulkhead.queue is wrong: expected number to be >=0 (Calls that may wait for one of these to end; 0 to 1,000,000. With 0 they are refused at once).',
    ],
    [{ fallbackOn: () => true }, 'fallbackOn needs a fallback: write one, or leave it out.'],
    [{ key: () => '' }, 'key is for cache and coalesce: write one of these, or leave it out.'],
  ])('of %j says what is wrong and what to write', async (options, expected) => {
    expect(await sentence(options)).toBe(`Resilience.run('job'): ${expected}`);
  });

  it.each<[object, string]>([
    [{ timeouts: 1 }, 'there is no option timeouts; write one of fallback, fallbackOn, key, idempotent, target, '],
    [{ retry: { codes: ['NOPE'] }, idempotent: true }, 'retry.codes.0 Invalid option: '],
    [{ fallback: { values: 1 } }, 'fallback must be the name of a method, a function, or a value'],
  ])('of %j names what there is', async (options, expected) => {
    expect(await sentence(options)).toContain(`Resilience.run('job'): ${expected}`);
  });

  it('names a fallback that is another function for the same name', async () => {
    const resilience = new Resilience({ clock });
    await resilience.run('job', () => 1, { fallback: () => 1 });
    await expect(resilience.run('job', () => 1, { fallback: () => 1 })).rejects.toThrow('fallback is not what');
  });

  it.each([
    { timeout: 100, attemptTimeout: 100 },
    { attemptTimeout: 100 },
    { idempotent: true, hedge: { delay: 100 } },
    { idempotent: true, hedge: { delay: 100 }, attemptTimeout: 101 },
  ])('is not said of %j', async (options) => {
    const resilience = new Resilience({ clock });
    expect(await resilience.run('job', () => 1, options)).toBe(1);
    resilience.close();
  });
});
