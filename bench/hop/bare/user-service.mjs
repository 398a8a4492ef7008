import grpc from '@grpc/grpc-js';
import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { stopOnSignal } from './stop.mjs';

const { requestType, responseType } = UserServiceDefinition.methods.getUser;
const definition = {
  getUser: {
    path: '/user.v1.UserService/GetUser',
    requestStream: false,
    responseStream: false,
    requestDeserialize: (bytes) => requestType.decode(bytes),
    responseSerialize: (answer) => Buffer.from(responseType.encode(answer).finish()),
  },
};
const server = new grpc.Server();
server.addService(definition, {
  getUser({ request: { name } }, reply) {
    reply(null, { user: { name }, message: `Hello, ${name}!`, servedBy: process.env.ID });
  },
});
server.bindAsync(`127.0.0.1:${process.env.GRPC_PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  stopOnSignal();
});
