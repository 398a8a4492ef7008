import { GrpcJsServer } from '../grpc-js/grpc-js-server.js';
import { GrpcJsTransport } from '../grpc-js/grpc-js-transport.js';
import { describeTransport } from '../testing/transport-conformance.js';
import { H2Transport } from './client/h2-transport.js';
import { H2Server } from './server/h2-server.js';

describeTransport('h2 calling h2', {
  transport: (options) => new H2Transport(options),
  server: (options) => new H2Server(options),
});

describeTransport('h2 calling grpc-js', {
  transport: (options) => new H2Transport(options),
  server: (options) => new GrpcJsServer(options),
});

describeTransport('grpc-js calling h2', {
  transport: (options) => new GrpcJsTransport(options),
  server: (options) => new H2Server(options),
});
