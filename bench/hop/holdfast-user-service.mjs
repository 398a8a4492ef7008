import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { runService } from '@holdfast/service';
import { Controller, Module } from '@nestjs/common';
import { GrpcMethod, Payload } from '@nestjs/microservices';
import { decorate } from './decorate.mjs';

/** The user service without its database: what the other contenders do in theirs, run by the template as any app is. */
class UsersController {
  getUser({ name }) {
    return { user: { name }, message: `Hello, ${name}!`, servedBy: process.env.ID };
  }
}
Controller()(UsersController);
Payload()(UsersController.prototype, 'getUser', 0);
decorate(UsersController, 'getUser', GrpcMethod('UserService', 'GetUser'));

function AppModule() {}
Module({ controllers: [UsersController] })(AppModule);

// The template wants a handler for every method of a service; the bench calls this one.
const { getUser } = UserServiceDefinition.methods;
const definition = { ...UserServiceDefinition, methods: { getUser } };

await runService(AppModule, { name: 'user-service', rpc: [definition] });
