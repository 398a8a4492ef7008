import {
  BulkheadFull,
  CircuitOpen,
  Code,
  codeFacts,
  codeOf,
  codeOfHttpStatus,
  RateLimited,
  ServiceError,
} from '@holdfast/core';
import { HttpException } from '@nestjs/common';

/** The code of whatever a call was thrown: ServiceError's, Nest's HttpException's by its status, a gRPC client's; else UNKNOWN. */
export function codeOfError(error: unknown): Code {
  if (error instanceof ServiceError) return error.code;
  if (error instanceof HttpException) return codeOfHttpStatus(error.getStatus());
  if (error instanceof Error && 'details' in error && 'code' in error && typeof error.code === 'number') {
    return codeOf(error.code);
  }
  return Code.UNKNOWN;
}

/** Whether a policy, here or at the far end, refused the call before any work was done. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof CircuitOpen || error instanceof BulkheadFull || error instanceof RateLimited) return true;
  // What crossed a hop has lost its class, but not its reason.
  return error instanceof ServiceError && error.reason === 'CIRCUIT_OPEN';
}

/** Whether the caller asked for something that cannot be: the answer would be the same from a healthy target. */
export function isCallersMistake(error: unknown): boolean {
  return codeFacts[codeOfError(error)].blame === 'caller';
}

/** Whether `error` counts against the target in its breaker: not the caller's mistakes, and no refusals. */
export function countsAsFailure(error: unknown): boolean {
  return !isRefusal(error) && codeFacts[codeOfError(error)].blame === 'server';
}
