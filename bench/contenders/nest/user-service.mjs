import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod } from '@nestjs/microservices';
import { decorate } from '../../hop/decorate.mjs';
import { grpcOptions, ready } from './nest.mjs';

class UsersController {
  getUser({ name }) {
    return { user: { name }, message: `Hello, ${name}!`, servedBy: process.env.ID };
  }
}
Controller()(UsersController);
decorate(UsersController, 'getUser', GrpcMethod('UserService', 'GetUser'));

function AppModule() {}
Module({ controllers: [UsersController] })(AppModule);

const address = `127.0.0.1:${process.env.GRPC_PORT}`;
const app = await NestFactory.createMicroservice(AppModule, { ...grpcOptions(address), logger: ['warn', 'error'] });
await app.listen();
ready(() => app.close());
