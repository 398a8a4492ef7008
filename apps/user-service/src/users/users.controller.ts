import { Code, ServiceError } from '@holdfast/core';
import type {
  CreateUserRequest,
  CreateUserResponse,
  GetUserRequest,
  GetUserResponse,
  ListUsersResponse,
} from '@holdfast/proto/user/v1/user';
import { InjectSelf, type Self } from '@holdfast/service';
import { Controller } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { parseUserName } from './user-name.js';
import { UsersRepository } from './users.repository.js';

/** `user.v1.UserService`. */
@Controller()
export class UsersController {
  readonly #users: UsersRepository;
  readonly #self: Self;

  constructor(users: UsersRepository, @InjectSelf() self: Self) {
    this.#users = users;
    this.#self = self;
  }

  @GrpcMethod('UserService', 'GetUser')
  async getUser(request: GetUserRequest): Promise<GetUserResponse> {
    const name = parseUserName(request.name);
    const user = await this.#users.find(name);
    if (!user) throw new ServiceError(Code.NOT_FOUND, `There is no user named "${name}".`);
    return { user, message: `Hello, ${user.name}`, servedBy: this.#self.id };
  }

  @GrpcMethod('UserService', 'CreateUser')
  async createUser(request: CreateUserRequest): Promise<CreateUserResponse> {
    const user = await this.#users.add(parseUserName(request.name));
    return { user, servedBy: this.#self.id };
  }

  @GrpcMethod('UserService', 'ListUsers')
  async *listUsers(): AsyncGenerator<ListUsersResponse, void, undefined> {
    // The server asks for the next user when the caller has taken the last ones, and leaves the loop when it cancels.
    for await (const user of this.#users.list()) yield { user };
  }
}
