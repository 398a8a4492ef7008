import { describeTransport } from '../testing/transport-conformance.js';
import { GrpcJsServer } from './grpc-js-server.js';
import { GrpcJsTransport } from './grpc-js-transport.js';

describeTransport('grpc-js', {
  transport: (options) => new GrpcJsTransport(options),
  server: (options) => new GrpcJsServer(options),
});
