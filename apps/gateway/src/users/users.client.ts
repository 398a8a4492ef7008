import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { InjectRpc, type RpcClient } from '@holdfast/rpc';
import { Injectable } from '@nestjs/common';

export interface Greeting {
  readonly name: string;
  readonly message: string;
  /** Id of the instance that answered. */
  readonly servedBy: string;
}

export interface CreatedUser {
  /** As the service keeps it. */
  readonly name: string;
  /** Id of the instance that answered. */
  readonly servedBy: string;
}

export interface ListedUser {
  readonly name: string;
}

/** The user service, as the gateway sees it. Its methods fail with the ServiceError that the service answered with. */
@Injectable()
export class UsersClient {
  readonly #rpc: RpcClient<UserServiceDefinition>;

  constructor(@InjectRpc(UserServiceDefinition) rpc: RpcClient<UserServiceDefinition>) {
    this.#rpc = rpc;
  }

  async greet(name: string): Promise<Greeting> {
    const { user, message, servedBy } = await this.#rpc.getUser({ name });
    return { name: user?.name ?? name, message, servedBy };
  }

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
