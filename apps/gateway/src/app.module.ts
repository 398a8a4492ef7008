import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { RpcModule } from '@holdfast/rpc';
import { Module } from '@nestjs/common';
import { UsersClient } from './users/users.client.js';
import { UsersController } from './users/users.controller.js';

@Module({
  imports: [RpcModule.client(UserServiceDefinition, { target: 'user-service' })],
  controllers: [UsersController],
  providers: [UsersClient],
})
export class AppModule {}
