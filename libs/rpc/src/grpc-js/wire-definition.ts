import type { LoggerService } from '@nestjs/common';
import type * as grpc from '@grpc/grpc-js';
import type { RpcMethod } from '../method.js';

/** `method` as grpc-js's server wants it. */
export function wireDefinition(
  method: RpcMethod<unknown, unknown>,
  logger: LoggerService,
): grpc.MethodDefinition<unknown, unknown> {
  return {
    path: method.path,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: method.encodeRequest,
    requestDeserialize: method.decodeRequest,
    responseDeserialize: method.decodeResponse,
    responseSerialize: (answer) => {
      try {
        return method.encodeResponse(answer);
      } catch (error) {
        // grpc-js tells the caller no more than that it failed, and nobody else anything.
        logger.error(`The answer of ${method.path} does not fit its type: ${String(error)}`);
        throw error;
      }
    },
  };
}
