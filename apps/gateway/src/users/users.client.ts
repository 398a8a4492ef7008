import {
  UserServiceDefinition,
  type CreateUserResponse,
  type GetUserResponse,
  type User,
} from '@holdfast/proto/user/v1/user';
import { Resilient } from '@holdfast/resilience';
import { InjectRpc, type RpcClient } from '@holdfast/rpc';
import { Injectable } from '@nestjs/common';

/** The user service, as its callers see it. Its methods fail with the ServiceError that the service answered with. */
@Injectable()
export class UsersClient {
  readonly #rpc: RpcClient<UserServiceDefinition>;

  constructor(@InjectRpc(UserServiceDefinition) rpc: RpcClient<UserServiceDefinition>) {
    this.#rpc = rpc;
  }

  /** What nobody answers in time is answered for the default user; that there is no such user stays what it is. */ // demo
  @Resilient('users.get', {
    timeout: '1s',
    bulkhead: { limit: 100 },
    breaker: { errorThresholdPercentage: 25 },
    fallback: 'defaultUser', // demo
  })
  get(name: string): Promise<GetUserResponse> {
    return this.#rpc.getUser({ name });
  }
  // #region demo

  defaultUser(name: string): GetUserResponse {
    return { user: { name }, message: 'Hello, default user', servedBy: 'gateway' };
  }
  // #endregion

  @Resilient('users.create', {
    timeout: '1s',
    bulkhead: { limit: 100 },
    breaker: { errorThresholdPercentage: 25 },
  })
  create(name: string): Promise<CreateUserResponse> {
    return this.#rpc.createUser({ name });
  }

  /** Every user in the order of names, read as the loop asks. Leaving it cancels the call, also between two users. */
  list(): AsyncIterableIterator<User> {
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
