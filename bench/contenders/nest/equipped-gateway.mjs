// The stock gateway with what most who face the internet add to it, each as its own documentation shows it.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import helmet from 'helmet';
import { pinoHttp } from 'pino-http';
import { decorate } from '../../hop/decorate.mjs';
import { ready } from './nest.mjs';
import { upstream, UsersController } from './users.mjs';

class HealthController {
  constructor(health) {
    this.health = health;
  }

  check() {
    return this.health.check([]);
  }
}
Controller('health')(HealthController);
Reflect.defineMetadata('design:paramtypes', [HealthCheckService], HealthController);
decorate(HealthController, 'check', Get());

function AppModule() {}
Module({
  // A limit that the bench does not reach: what counts is what it costs to keep it.
  imports: [upstream, TerminusModule, ThrottlerModule.forRoot([{ ttl: 60_000, limit: 100_000_000 }])],
  controllers: [UsersController, HealthController],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.use(helmet());
app.use(pinoHttp());
SwaggerModule.setup('docs', app, SwaggerModule.createDocument(app, new DocumentBuilder().build()));
await app.listen(Number(process.env.PORT), '127.0.0.1');
ready(() => app.close());
