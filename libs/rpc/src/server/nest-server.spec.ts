import * as grpc from '@grpc/grpc-js';
import { CallContext, Code } from '@holdfast/core';
import { UserServiceDefinition, type GetUserRequest, type GetUserResponse } from '@holdfast/proto/user/v1/user';
import {
  Controller,
  Injectable,
  Module,
  NotFoundException,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestMicroservice,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { service as healthService } from 'grpc-health-check';
import { map, of } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { methodsOf, type RpcMethod } from '../method.js';
import { RpcErrorFilter } from './rpc-error-filter.js';
import type { RpcServerOptions } from './rpc-server.js';
import { all, call, failureOf } from '../testing/conformance-fixture.js';
import type { Link } from '../transport.js';
import { openTransport, rpcServer, transportNames, type TransportName } from '../transports.js';

@Injectable()
class NotMallory implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getData<GetUserRequest>().name !== 'mallory';
  }
}

@Injectable()
class Shout implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler<GetUserResponse>) {
    return next.handle().pipe(map((answer) => ({ ...answer, message: answer.message.toUpperCase() })));
  }
}

@Controller()
class UsersController {
  @GrpcMethod('UserService', 'GetUser')
  @UseGuards(NotMallory)
  @UseInterceptors(Shout)
  async getUser({ name }: GetUserRequest, metadata: grpc.Metadata): Promise<GetUserResponse> {
    if (name === 'nobody') throw new NotFoundException('There is no user nobody.');
    if (name === 'bug') throw new TypeError('password=hunter2');
    const tone = String(metadata.get('x-tone')[0] ?? 'hi');
    return { user: { name }, message: `${tone} ${name}`, servedBy: CallContext.current()?.requestId ?? '' };
  }

  @GrpcMethod('user.v1.UserService', 'CreateUser')
  createUser({ name }: GetUserRequest) {
    return of({ user: { name }, servedBy: '' });
  }

  @GrpcMethod('UserService')
  listUsers() {
    return of({ user: { name: 'ann' } }, { user: { name: 'bob' } });
  }
}

@Module({ controllers: [UsersController] })
class AppModule {
  readonly name = 'AppModule';
}

@Controller()
class HalfController {
  @GrpcMethod('UserService', 'GetUser')
  getUser() {
    return {};
  }
}

@Module({ controllers: [HalfController] })
class HalfModule {
  readonly name = 'HalfModule';
}

@Controller()
class StrayController extends UsersController {
  @GrpcMethod('BookService', 'GetBook')
  getBook() {
    return {};
  }
}

@Module({ controllers: [StrayController] })
class StrayModule {
  readonly name = 'StrayModule';
}

const [getUser, createUser, listUsers] = methodsOf(UserServiceDefinition) as [
  RpcMethod<GetUserRequest, GetUserResponse>,
  RpcMethod<GetUserRequest, GetUserResponse>,
  RpcMethod<object, { user: { name: string } }>,
];

const closing: (() => unknown)[] = [];

async function startOn(name: TransportName, module: Type, options: Partial<RpcServerOptions> = {}) {
  const strategy = rpcServer(name, { services: [UserServiceDefinition], ...options });
  const app: INestMicroservice = await NestFactory.createMicroservice(module, { strategy, logger: false });
  app.useGlobalFilters(new RpcErrorFilter());
  closing.push(() => app.close());
  await app.listen();
  const link: Link = openTransport(name, {}).connect(`127.0.0.1:${strategy.port}`);
  closing.push(() => link.close());
  return { strategy, link, app };
}

describe.each(transportNames)('the %s server in a Nest app', (transport) => {
  const start = (module: Type, options: Partial<RpcServerOptions> = {}) => startOn(transport, module, options);

  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });

  it('serves unchanged controllers, in the context of the call', async () => {
    const { link } = await start(AppModule);
    const metadata = { 'x-request-id': 'r9', 'x-tone': 'hello' };
    expect(await link.unary(getUser, { name: 'ann' }, call({ metadata }))).toEqual({
      user: { name: 'ann' },
      message: 'HELLO ANN',
      servedBy: 'r9',
    });
    expect(await link.unary(createUser, { name: 'eve' }, call())).toMatchObject({ user: { name: 'eve' } });
    const users = await all(link.stream(listUsers, [{}], call()));
    expect(users.map(({ user }) => user.name)).toEqual(['ann', 'bob']);
  });

  it('gives the caller the error that was thrown', async () => {
    const { link } = await start(AppModule);
    const ask = (name: string) => failureOf(link.unary(getUser, { name }, call()));
    expect(await ask('nobody')).toMatchObject({ code: Code.NOT_FOUND, message: 'There is no user nobody.' });
    expect(await ask('bug')).toMatchObject({ code: Code.INTERNAL, message: 'Internal error' });
    expect(await ask('mallory')).toMatchObject({ code: Code.PERMISSION_DENIED });
  });

  it('does not start while a method has no handler, or a handler no method', async () => {
    expect(await failureOf(start(HalfModule))).toMatchObject({
      name: 'StartupError',
      message:
        "user.v1.UserService has no handler for CreateUser; write one with @GrpcMethod('UserService', 'CreateUser') in a controller of the module.",
    });
    expect(await failureOf(start(StrayModule))).toMatchObject({
      name: 'StartupError',
      message:
        'The handler of BookService.GetBook belongs to no service of this server, which are: user.v1.UserService.',
    });
  });

  it('works in a hybrid app, which drains it when it closes', async () => {
    const strategy = rpcServer(transport, { services: [UserServiceDefinition] });
    const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false });
    app.useGlobalFilters(new RpcErrorFilter());
    app.connectMicroservice({ strategy }, { inheritAppConfig: true });
    await app.startAllMicroservices();
    const link = openTransport(transport, {}).connect(`127.0.0.1:${strategy.port}`);
    closing.push(() => link.close());
    expect(await failureOf(link.unary(getUser, { name: 'nobody' }, call()))).toMatchObject({ code: Code.NOT_FOUND });
    await app.close();
    await expect.poll(() => link.state.value).toBe('failing');
  });

  it('tells its health, to those who ask and to those who watch', async () => {
    const { strategy } = await start(AppModule);
    const Health = grpc.makeGenericClientConstructor(healthService as grpc.ServiceDefinition, 'Health');
    const client = new Health(`127.0.0.1:${strategy.port}`, grpc.credentials.createInsecure());
    closing.push(() => client.close());
    const check = (service: string) =>
      new Promise<unknown>((resolve, reject) => {
        const method = client['check'] as (request: object, reply: grpc.requestCallback<{ status: string }>) => void;
        method.call(client, { service }, (error, answer) => (error ? reject(error) : resolve(answer?.status)));
      });
    expect(await check('')).toBe('NOT_SERVING');
    strategy.setServing(true);
    expect([await check(''), await check('user.v1.UserService')]).toEqual(['SERVING', 'SERVING']);

    const seen: unknown[] = [];
    const watch = client['watch'] as (request: object) => grpc.ClientReadableStream<{ status: string }>;
    const stream = watch.call(client, { service: '' });
    const ended = new Promise((resolve) => stream.on('end', resolve));
    stream.on('data', ({ status }: { status: string }) => seen.push(status));
    await expect.poll(() => seen).toEqual(['SERVING']);
    // A watch alone must not hold up the drain.
    expect(await strategy.drain(60_000)).toEqual({ aborted: 0 });
    await ended;
    expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
  });

  it('answers reflection where it is asked to, and only then', async () => {
    const { createRequire } = await import('node:module');
    const descriptors = createRequire(import.meta.url).resolve('@holdfast/proto/descriptors.binpb');
    const services = async (port: number): Promise<string[]> => {
      const { loadSync } = await import('@grpc/proto-loader');
      const folder = createRequire(import.meta.url)
        .resolve('@grpc/reflection')
        .replace(/src\/index\.js$/, '');
      const definition = loadSync('grpc/reflection/v1/reflection.proto', { includeDirs: [`${folder}proto`] });
      const name = 'grpc.reflection.v1.ServerReflection';
      const Client = grpc.makeGenericClientConstructor(definition[name] as grpc.ServiceDefinition, name);
      const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
      closing.push(() => client.close());
      const open = client['serverReflectionInfo'] as () => grpc.ClientDuplexStream<object, ListAnswer>;
      const stream = open.call(client);
      stream.write({ listServices: '' });
      return new Promise((resolve, reject) => {
        stream.on('error', reject);
        stream.on('data', ({ listServicesResponse }) => {
          // Left open, it would hold up the drain.
          stream.end();
          resolve(listServicesResponse.service.map((service: { name: string }) => service.name));
        });
      });
    };
    const { strategy } = await start(AppModule, { reflection: descriptors });
    expect(await services(strategy.port)).toEqual(['user.v1.UserService']);
    const { strategy: silent } = await start(AppModule);
    expect(await failureOf(services(silent.port))).toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });
});

interface ListAnswer {
  readonly listServicesResponse: { readonly service: readonly { readonly name: string }[] };
}
