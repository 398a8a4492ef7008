import { Resilience, ResilienceModule, Resilient } from '@holdfast/resilience';
import { Injectable, Scope } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';

@Injectable({ scope: Scope.TRANSIENT })
class Greeter {
  constructor() {
    this.id = ++Greeter.made;
  }

  static made = 0;
  readonly id: number;

  @Resilient('greeter.greet', { breaker: {}, timeout: '1s' })
  async greet(name: string): Promise<string> {
    return `${this.id} greets ${name}`;
  }
}

describe('a cached breaker keeps the first caller’s closure', () => {
  it('each call has its own arguments and object, though all share one breaker', async () => {
    const app = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot()],
      providers: [Greeter],
    }).compile();
    await app.init();
    const greeters = [await app.resolve(Greeter), await app.resolve(Greeter)];
    const [a, b] = greeters.map(({ id }) => id);
    expect(a).not.toBe(b);
    const answers = await Promise.all(
      greeters.flatMap((greeter) => ['alice', 'bob'].map((name) => greeter.greet(name))),
    );
    expect(answers).toEqual([`${a} greets alice`, `${a} greets bob`, `${b} greets alice`, `${b} greets bob`]);
    const resilience = app.get(Resilience);
    const captured = await Promise.all([1, 2].map((n) => resilience.run('job', async () => n, { breaker: {} })));
    expect(captured).toEqual([1, 2]);
    await app.close();
  });
});
