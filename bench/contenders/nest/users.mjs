import { Controller, Get, Inject, Param } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { map } from 'rxjs';
import { decorate } from '../../hop/decorate.mjs';
import { grpcOptions } from './nest.mjs';

const UPSTREAM = 'UPSTREAM';

/** `GET /users/:name`, asked of the user service as Nest's own documentation shows it. */
export class UsersController {
  constructor(client) {
    this.client = client;
  }

  onModuleInit() {
    this.users = this.client.getService('UserService');
  }

  getUser(name) {
    return this.users
      .getUser({ name })
      .pipe(map(({ user, message, servedBy }) => ({ name: user.name, message, servedBy })));
  }
}
Controller('users')(UsersController);
Inject(UPSTREAM)(UsersController, undefined, 0);
Param('name')(UsersController.prototype, 'getUser', 0);
decorate(UsersController, 'getUser', Get(':name'));

// One address as it stands in every example; several through grpc-js's own round robin, which a user has to ask for.
const addresses = process.env.UPSTREAMS.split(',');
const client =
  addresses.length === 1
    ? grpcOptions(addresses[0])
    : grpcOptions(`ipv4:${addresses.join(',')}`, {
        channelOptions: { 'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }) },
      });
export const upstream = ClientsModule.register([{ name: UPSTREAM, ...client }]);
