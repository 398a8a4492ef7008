import { Idempotent, jsonArray, RateLimit, Scopes, serverSentEvents, streamedAnswer } from '@holdfast/edge';
import { ApiStream } from '@holdfast/edge/server';
import {
  Body,
  Controller,
  Get,
  Header,
  Headers,
  HttpCode,
  Param,
  Post,
  Req,
  Res,
  type StreamableFile,
} from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import {
  createdUser,
  foundUser,
  listedUser,
  type CreatedUser,
  type FoundUser,
  type ListedUser,
} from './user-answers.js';
import { namePath, newUser, type NamePath, type NewUser } from './user-requests.js';
import { UsersClient } from './users.client.js';

/** The one part of Fastify's request that is needed here. */
interface Request {
  readonly url: string;
}

/** And of its reply. */
interface Reply {
  header(name: string, value: string): unknown;
}

@ApiTags('users')
@Controller('users')
export class UsersController {
  readonly #users: UsersClient;

  constructor(users: UsersClient) {
    this.#users = users;
  }

  @Get(':name')
  @ApiOperation({ summary: 'Get a user', operationId: 'getUser' })
  @ApiOkResponse({ description: 'The user.', standardSchema: foundUser })
  @ApiBadRequestResponse({ description: 'This is no name.' })
  @ApiNotFoundResponse({ description: 'There is no such user.' })
  async get(@Param({ schema: namePath }) { name }: NamePath): Promise<FoundUser> {
    const found = await this.#users.get(name);
    return {
      name: found.user?.name ?? name,
      message: found.message, // demo
      servedBy: found.servedBy,
    };
  }

  @Post()
  @HttpCode(201)
  @Scopes('users:write')
  @RateLimit('users.create', { rate: 10, burst: 20 })
  @Idempotent()
  @ApiOperation({ summary: 'Add a user', operationId: 'createUser' })
  @ApiCreatedResponse({
    description: 'The user as it is kept.',
    standardSchema: createdUser,
    headers: { Location: { description: 'Where the user is.', schema: { type: 'string' } } },
  })
  @ApiBadRequestResponse({ description: 'The body is not as it must be; errors names the fields.' })
  @ApiConflictResponse({ description: 'There is a user of that name.' })
  async create(
    @Body({ schema: newUser }) { name }: NewUser,
    @Req() { url }: Request,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<CreatedUser> {
    const { user, servedBy } = await this.#users.create(name);
    const created = user?.name ?? name;
    const [path] = url.split('?', 1);
    reply.header('location', `${path}/${encodeURIComponent(created)}`);
    return { name: created, servedBy };
  }

  /** All users: as one JSON array, or as server-sent events for who asks for them. */
  @Get()
  @Header('vary', 'accept')
  @Header('cache-control', 'no-store')
  @ApiOperation({ summary: 'List all users', operationId: 'listUsers' })
  @ApiStream(listedUser, 'The users in the order of their names; as events, one `user` each, and `end` after the last.')
  list(@Headers('accept') accept: string | undefined): Promise<StreamableFile> {
    const users = this.#users.list();
    return accept?.toLowerCase().includes('text/event-stream')
      ? streamedAnswer('text/event-stream', users, (items: AsyncIterable<ListedUser>) =>
          serverSentEvents('user', items),
        )
      : streamedAnswer('application/json; charset=utf-8', users, jsonArray);
  }
}
