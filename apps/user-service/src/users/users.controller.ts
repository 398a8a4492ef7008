import { InjectConfig } from '@holdfast/config';
import { Code, ServiceError, type Live } from '@holdfast/core';
import type {
  CreateUserRequest,
  CreateUserResponse,
  GetUserRequest,
  GetUserResponse,
  ListUsersResponse,
} from '@holdfast/proto/user/v1/user';
import { InjectSelf, type Self } from '@holdfast/service';
import { Controller } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import type { z } from 'zod';
import { greeting } from './greeting.js';
import { parseUserName } from './user-name.js';
import { UsersRepository } from './users.repository.js';

/** `user.v1.UserService`. */
@Controller()
export class UsersController {
  readonly #users: UsersRepository;
  readonly #self: Self;
  readonly #greeting: Live<z.infer<typeof greeting.schema>>; // demo

  constructor(
    users: UsersRepository,
    @InjectSelf() self: Self,
    @InjectConfig(greeting) template: Live<z.infer<typeof greeting.schema>>, // demo
  ) {
    this.#users = users;
    this.#self = self;
    this.#greeting = template; // demo
  }

  @GrpcMethod('UserService', 'GetUser')
  async getUser(@Payload() request: GetUserRequest): Promise<GetUserResponse> {
    const name = parseUserName(request.name);
    const user = await this.#users.find(name);
    if (!user) throw new ServiceError(Code.NOT_FOUND, `There is no user named "${name}".`);
    const message = this.#greeting.value.template.replaceAll('{name}', () => user.name); // demo
    return {
      user,
      message, // demo
      servedBy: this.#self.id,
    };
  }

  @GrpcMethod('UserService', 'CreateUser')
  async createUser(@Payload() request: CreateUserRequest): Promise<CreateUserResponse> {
    const user = await this.#users.add(parseUserName(request.name));
    return { user, servedBy: this.#self.id };
  }

  @GrpcMethod('UserService', 'ListUsers')
  async *listUsers(): AsyncGenerator<ListUsersResponse, void, undefined> {
    // The server asks for the next user when the caller has taken the last ones, and leaves the loop when it cancels.
    for await (const user of this.#users.list()) yield { user };
  }
}
