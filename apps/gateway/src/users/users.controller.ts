import {
  Body,
  Controller,
  Get,
  Header,
  Headers,
  HttpCode,
  Param,
  Post,
  Res,
  type StreamableFile,
} from '@nestjs/common';
import { jsonArray } from '../streaming/json-array.js';
import { serverSentEvents } from '../streaming/server-sent-events.js';
import { streamedAnswer } from '../streaming/streamed-answer.js';
import { namePath, newUser, type NamePath, type NewUser } from './user-requests.js';
import { UsersClient, type CreatedUser, type Greeting, type ListedUser } from './users.client.js';

/** The one part of Fastify's reply that is needed here. */
interface Reply {
  header(name: string, value: string): unknown;
}

@Controller('users')
export class UsersController {
  readonly #users: UsersClient;

  constructor(users: UsersClient) {
    this.#users = users;
  }

  @Get(':name')
  greet(@Param({ schema: namePath }) { name }: NamePath): Promise<Greeting> {
    return this.#users.greet(name);
  }

  @Post()
  @HttpCode(201)
  async create(
    @Body({ schema: newUser }) { name }: NewUser,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<CreatedUser> {
    const created = await this.#users.create(name);
    reply.header('location', `/users/${encodeURIComponent(created.name)}`);
    return created;
  }

  /** All users: as one JSON array, or as server-sent events for who asks for them. */
  @Get()
  @Header('vary', 'accept')
  @Header('cache-control', 'no-store')
  list(@Headers('accept') accept: string | undefined): Promise<StreamableFile> {
    const users = this.#users.list();
    return accept?.toLowerCase().includes('text/event-stream')
      ? streamedAnswer('text/event-stream', users, (items: AsyncIterable<ListedUser>) =>
          serverSentEvents('user', items),
        )
      : streamedAnswer('application/json; charset=utf-8', users, jsonArray);
  }
}
