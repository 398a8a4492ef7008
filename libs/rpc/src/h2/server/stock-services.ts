import type * as grpc from '@grpc/grpc-js';
import { handlerError } from '../../server/handler-error.js';
import type { Route } from './route.js';
import type { ServerCall } from './server-call.js';

/**
 * Routes of services that are written for grpc-js's own server, such as health checking and reflection, collected where
 * they think they add themselves to one.
 */
export class StockServices {
  readonly routes = new Map<string, Route>();
  /** What to hand to their `addToServer`. */
  readonly server = { addService: this.#add.bind(this) } as unknown as grpc.Server;

  #add(service: grpc.ServiceDefinition, implementation: grpc.UntypedServiceImplementation): void {
    for (const [name, definition] of Object.entries(service)) {
      // Implementations use either the method's own name or the lower-case one.
      const handler = implementation[name] ?? implementation[definition.originalName ?? ''];
      if (!handler) continue;
      const domain = definition.path.slice(1, definition.path.lastIndexOf('/'));
      const method = {
        path: definition.path,
        requestStream: definition.requestStream,
        responseStream: definition.responseStream,
        decodeRequest: definition.requestDeserialize,
        encodeResponse: definition.responseSerialize,
      };
      this.routes.set(definition.path, { method, domain, serve: (call) => serve(call, handler as StockHandler) });
    }
  }
}

type StockHandler = (call: unknown, reply?: grpc.sendUnaryData<unknown>) => void;

function serve(call: ServerCall, handler: StockHandler): void {
  const reply: grpc.sendUnaryData<unknown> = (error, value, trailer) => {
    if (error) call.fail(handlerError(error), trailer);
    else call.reply(value, trailer);
  };
  try {
    handler(call.surface ?? call, reply);
  } catch (error) {
    call.fail(handlerError(error));
  }
}
