import { of, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { Resilient } from './index.js';

interface User {
  readonly name: string;
}

/** Never run: the compiler is what tests it, and half of it would not start. */
export function typed() {
  class Typed {
    @Resilient('types.method', { fallback: 'other' })
    async method(name: string): Promise<User> {
      return { name };
    }

    other(name: string): User {
      return { name };
    }

    numbers(id: number): User {
      return { name: `${id}` };
    }

    text(_name: string): string {
      return '';
    }

    // @ts-expect-error -- there is no such method
    @Resilient('types.unknown', { fallback: 'another' })
    async unknown(name: string): Promise<User> {
      return { name };
    }

    // @ts-expect-error -- it takes other arguments
    @Resilient('types.arguments', { fallback: 'numbers' })
    async arguments(name: string): Promise<User> {
      return { name };
    }

    // @ts-expect-error -- it answers something else
    @Resilient('types.answer', { fallback: 'text' })
    async answer(name: string): Promise<User> {
      return { name };
    }

    @Resilient('types.function', { fallback: async (name: string, _error: unknown) => ({ name }) })
    async function(name: string): Promise<User> {
      return { name };
    }

    // @ts-expect-error -- the function answers something else
    @Resilient('types.otherFunction', { fallback: (name: string) => name })
    async otherFunction(name: string): Promise<User> {
      return { name };
    }

    @Resilient('types.value', { fallback: { value: { name: 'nobody' } } })
    async value(name: string): Promise<User> {
      return { name };
    }

    // @ts-expect-error -- the value is something else
    @Resilient('types.otherValue', { fallback: { value: 7 } })
    async otherValue(name: string): Promise<User> {
      return { name };
    }

    @Resilient('types.observable', { fallback: 'other', timeout: '1s' })
    observable(name: string): Observable<User> {
      return of({ name });
    }

    // @ts-expect-error -- a bare value could not wait
    @Resilient('types.plain')
    plain(name: string): string {
      return name;
    }

    @Resilient('types.perhaps')
    perhaps(name: string): string | Promise<string> {
      return name;
    }

    // @ts-expect-error -- no unit
    @Resilient('types.duration', { timeout: '10 hours' })
    async duration(): Promise<void> {}
  }
  return Typed;
}

describe('the types of @Resilient', () => {
  it('allow no fallback that does not exist, which fails where the class is made too', () => {
    expect(typed).toThrow("@Resilient('types.unknown') on Typed.unknown: fallback names no method of the class");
  });
});
