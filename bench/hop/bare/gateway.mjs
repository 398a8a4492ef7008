import grpc from '@grpc/grpc-js';
import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import fastify from 'fastify';
import { stopOnSignal } from './stop.mjs';

/** Fastify and grpc-js by hand, with no framework, context, deadline, validation or balancing: what this transport costs at least. */
const { requestType, responseType } = UserServiceDefinition.methods.getUser;
const encode = (request) => Buffer.from(requestType.encode(request).finish());
const decode = (bytes) => responseType.decode(bytes);
const clients = process.env.UPSTREAMS.split(',').map(
  (address) => new grpc.Client(address, grpc.credentials.createInsecure()),
);
let turn = 0;

const app = fastify();
app.get('/users/:name', (request, reply) => {
  const client = clients[turn++ % clients.length];
  client.makeUnaryRequest(
    '/user.v1.UserService/GetUser',
    encode,
    decode,
    { name: request.params.name },
    (error, answer) => {
      if (error) return reply.code(502).send({ error: error.details });
      reply.send({ name: answer.user.name, message: answer.message, servedBy: answer.servedBy });
    },
  );
});
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
stopOnSignal();
