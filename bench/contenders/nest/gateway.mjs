import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ready } from './nest.mjs';
import { upstream, UsersController } from './users.mjs';

function AppModule() {}
Module({ imports: [upstream], controllers: [UsersController] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(Number(process.env.PORT), '127.0.0.1');
ready(() => app.close());
