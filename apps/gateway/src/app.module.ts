import { invalidRequest } from '@holdfast/edge';
import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { RpcModule } from '@holdfast/rpc';
import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { UsersClient } from './users/users.client.js';
import { UsersController } from './users/users.controller.js';

@Module({
  imports: [RpcModule.client(UserServiceDefinition, { target: 'user-service' })],
  controllers: [UsersController],
  providers: [
    UsersClient,
    { provide: APP_PIPE, useValue: new StandardSchemaValidationPipe({ exceptionFactory: invalidRequest }) },
  ],
})
export class AppModule {}
