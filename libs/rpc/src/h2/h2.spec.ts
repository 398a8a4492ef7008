import { afterAll, expect } from 'vitest';
import { GrpcJsServer } from '../grpc-js/grpc-js-server.js';
import { GrpcJsTransport } from '../grpc-js/grpc-js-transport.js';
import { describeTransport } from '../testing/transport-conformance.js';
import { H2Transport } from './client/h2-transport.js';
import { settlements } from './grpc/settlements.js';
import { H2Server } from './server/h2-server.js';

afterAll(() => {
  expect(settlements).toEqual({ begun: settlements.ended, ended: settlements.ended, again: 0 });
  expect(settlements.begun).toBeGreaterThan(0);
});

describeTransport('h2 calling h2', {
  transport: (options) => new H2Transport(options),
  server: (options) => new H2Server(options),
  packsAnswers: true,
});

describeTransport('h2 calling grpc-js', {
  transport: (options) => new H2Transport(options),
  server: (options) => new GrpcJsServer(options),
});

describeTransport('grpc-js calling h2', {
  transport: (options) => new GrpcJsTransport(options),
  server: (options) => new H2Server(options),
  packsAnswers: true,
});
