// The two sides of a call, by what carries it: our two transports, and grpc-js as anybody would use it ("plain").
import * as grpc from '@grpc/grpc-js';
import { EchoServiceDefinition } from '@holdfast/proto/holdfast/testing/v1/echo';
import { openTransport, rpcServer } from '@holdfast/rpc';
import { methodsOf } from '../../libs/rpc/dist/method.js';

export const echo = methodsOf(EchoServiceDefinition).find(({ key }) => key === 'echo');
const answer = ({ text, payload }) => ({ text, payload });
const definition = {
  echo: {
    path: echo.path,
    requestStream: false,
    responseStream: false,
    requestSerialize: echo.encodeRequest,
    requestDeserialize: echo.decodeRequest,
    responseSerialize: echo.encodeResponse,
    responseDeserialize: echo.decodeResponse,
  },
};
const unused = () => undefined;
const maxMessageBytes = 8 * 1024 * 1024;

/** A listening echo service. @returns its port */
export async function serve(kind) {
  if (kind === 'plain') {
    const server = new grpc.Server({ 'grpc.max_receive_message_length': maxMessageBytes });
    server.addService(definition, { echo: ({ request }, reply) => reply(null, answer(request)) });
    return new Promise((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
  }
  const server = rpcServer(kind, { services: [EchoServiceDefinition], maxMessageBytes });
  for (const [rpc, streaming, handler] of [
    ['Echo', 'no_stream', answer],
    ['Expand', 'no_stream', unused],
    ['Collect', 'rx_stream', unused],
    ['Chat', 'rx_stream', unused],
  ]) {
    server.addHandler({ service: 'EchoService', rpc, streaming }, handler);
  }
  await new Promise((resolve, reject) => server.listen((error) => (error ? reject(error) : resolve())));
  return server.port;
}

/** A function that makes one call. */
export function caller(kind, address) {
  if (kind === 'plain') {
    const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxMessageBytes,
    });
    const { requestSerialize, responseDeserialize } = definition.echo;
    return (request) =>
      new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + 10_000 };
        client.makeUnaryRequest(
          echo.path,
          requestSerialize,
          responseDeserialize,
          request,
          options,
          (error, response) => (error ? reject(error) : resolve(response)),
        );
      });
  }
  const link = openTransport(kind, { maxMessageBytes }).connect(address);
  return (request) => link.unary(echo, request, { metadata: {}, deadline: performance.now() + 10_000 });
}
