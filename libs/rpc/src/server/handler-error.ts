import { Code, codeOf, codeOfHttpStatus, ServiceError } from '@holdfast/core';
import { HttpException, Logger } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';

const logger = new Logger('RpcServer');
/** What Nest says when a guard returns false; it throws it as a bare RpcException. */
const forbidden = 'Forbidden resource';

/**
 * What a handler threw, as the error that its caller is to see. ServiceError passes; Nest's HttpException and
 * RpcException keep their message under the code that fits. Anything else is a defect: it is logged here, once, with its
 * stack, and the caller learns no more than `Internal error`.
 */
export function handlerError(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  if (thrown instanceof HttpException) {
    return new ServiceError(codeOfHttpStatus(thrown.getStatus()), messageOf(thrown), { cause: thrown });
  }
  if (thrown instanceof RpcException) return fromRpcError(thrown.getError(), thrown);
  if (thrown instanceof Error) {
    logger.error(thrown.message, thrown.stack);
    return new ServiceError(Code.INTERNAL, 'Internal error', { cause: thrown });
  }
  if (isSwallowedByNest(thrown)) return new ServiceError(Code.INTERNAL, 'Internal error');
  if (hasCode(thrown)) return fromRpcError(thrown, thrown);
  logger.error(`A handler threw something that is no Error: ${String(thrown)}`);
  return new ServiceError(Code.INTERNAL, 'Internal error', { cause: thrown });
}

/** ValidationPipe puts its sentences into the response, not into the message. */
function messageOf(exception: HttpException): string {
  const response = exception.getResponse();
  if (typeof response === 'string') return response;
  const message = 'message' in response ? response.message : undefined;
  if (Array.isArray(message)) return message.join('; ');
  return typeof message === 'string' ? message : exception.message;
}

function fromRpcError(error: unknown, cause: unknown): ServiceError {
  if (error === forbidden) return new ServiceError(Code.PERMISSION_DENIED, forbidden, { cause });
  if (typeof error === 'string') return new ServiceError(Code.UNKNOWN, error, { cause });
  const { code, message, details } = (error ?? {}) as { code?: unknown; message?: unknown; details?: unknown };
  const text = [details, message].find((part) => typeof part === 'string') ?? 'Unknown error';
  return new ServiceError(typeof code === 'number' ? codeOf(code) : Code.UNKNOWN, text, { cause });
}

function hasCode(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'number';
}

/** The shape that Nest's own filter leaves of an error it has logged, where no RpcErrorFilter was set. */
function isSwallowedByNest(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && 'status' in thrown && thrown.status === 'error';
}
