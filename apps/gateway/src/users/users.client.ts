import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { Resilient } from '@holdfast/resilience';
import { InjectRpc, type RpcClient } from '@holdfast/rpc';
import { Injectable } from '@nestjs/common';
import type { CreatedUser, Greeting, ListedUser } from './user-answers.js';

/** The user service, as the gateway sees it. Its methods fail with the ServiceError that the service answered with. */
@Injectable()
export class UsersClient {
  readonly #rpc: RpcClient<UserServiceDefinition>;

  constructor(@InjectRpc(UserServiceDefinition) rpc: RpcClient<UserServiceDefinition>) {
    this.#rpc = rpc;
  }

  /** What nobody answers in time is answered for the default user; that there is no such user stays what it is. */
  @Resilient('users.get', {
    timeout: '1s',
    bulkhead: { limit: 100 },
    breaker: { errorThresholdPercentage: 25 },
    fallback: 'defaultUser',
  })
  async greet(name: string): Promise<Greeting> {
    const { user, message, servedBy } = await this.#rpc.getUser({ name });
    return { name: user?.name ?? name, message, servedBy };
  }

  defaultUser(name: string): Greeting {
    return { name, message: 'Hello, default user', servedBy: 'gateway' };
  }

  @Resilient('users.create', {
    timeout: '1s',
    bulkhead: { limit: 100 },
    breaker: { errorThresholdPercentage: 25 },
  })
  async create(name: string): Promise<CreatedUser> {
    const { user, servedBy } = await this.#rpc.createUser({ name });
    return { name: user?.name ?? name, servedBy };
  }

  /** Every user in the order of names, read as the loop asks. Leaving it cancels the call, also between two users. */
  list(): AsyncIterableIterator<ListedUser> {
    const left = new AbortController();
    const responses = this.#rpc.listUsers({}, { signal: left.signal })[Symbol.asyncIterator]();
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        const { done, value } = await responses.next();
        return done ? { done, value: undefined } : { done: false, value: { name: value.user?.name ?? '' } };
      },
      // A generator alone would wait for the next user first, and only then see that nobody wants it.
      async return() {
        left.abort();
        await responses.return?.();
        return { done: true, value: undefined };
      },
    };
  }
}
