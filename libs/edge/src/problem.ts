import { HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { Code, codeFacts, codeOfHttpStatus, ServiceError, type FieldViolation } from '@holdfast/core';

/** The parts of a Fastify reply that an error answer needs. */
export interface Reply {
  readonly sent: boolean;
  code(status: number): Reply;
  header(name: string, value: string): Reply;
  send(body: string): unknown;
}

/** Problem details as RFC 9457 has them, with the code, the reason and the fields at fault as extensions. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly reason?: string;
  readonly errors?: readonly FieldViolation[];
}

const MAX_DETAIL = 200;
const INTERNAL_STATUS = codeFacts[Code.INTERNAL].http;
const logger = new Logger('Problem');

/** What is said in place of a message that may name what is behind the edge: addresses, services, the words of another's bug. */
const SAFE_DETAIL: Readonly<Partial<Record<Code, string>>> = {
  [Code.DEADLINE_EXCEEDED]: 'The answer took too long.',
  [Code.UNAVAILABLE]: 'This cannot be served at the moment; ask again later.',
  [Code.UNIMPLEMENTED]: 'This is not served here.',
};
const UNSERVED = 'The request could not be served.';

/**
 * What a caller over HTTP is told of an error. ServiceError and HttpException speak for themselves where the caller can do something
 * about it; of a failure on this side it learns the status, the code and the reason, and of a bug not even the reason.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof ServiceError) {
    const { http, title, name, blame } = codeFacts[error.code];
    const problem = {
      type: 'about:blank',
      title,
      status: http,
      detail: blame === 'server' ? (SAFE_DETAIL[error.code] ?? UNSERVED) : error.message,
      code: name,
      reason: error.reason,
    };
    return error.violations.length > 0 ? { ...problem, errors: error.violations } : problem;
  }
  const status = statusOf(error);
  if (status === undefined || status >= 500) return internal(status ?? 500);
  const { title, name } = codeFacts[codeOfHttpStatus(status)];
  return { type: 'about:blank', title, status, detail: shortened((error as Error).message), code: name };
}

/** A framework's message may quote the request, which is as long as its sender likes. */
function shortened(message: string): string {
  return message.length > MAX_DETAIL ? `${message.slice(0, MAX_DETAIL)}…` : message;
}

/** Nest's exceptions know their status; Fastify's own errors (a malformed or too large body) carry `statusCode`. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return error instanceof Error && typeof status === 'number' ? status : undefined;
}

function internal(status: number): Problem {
  const { title, name } = codeFacts[codeOfHttpStatus(status)];
  return { type: 'about:blank', title, status, detail: UNSERVED, code: name };
}

/** Answers a request that failed with problem+json, unless an answer has already begun. */
export function sendProblem(error: unknown, reply: Reply): void {
  const problem = problemOf(error);
  if (problem.status === INTERNAL_STATUS) logger.error(error);
  else if (problem.status > INTERNAL_STATUS) logger.debug(error);
  if (reply.sent) return;
  if (error instanceof ServiceError) addHints(error, reply);
  reply.code(problem.status).header('content-type', 'application/problem+json').send(JSON.stringify(problem));
}

/** What the client can do about it, where that is known: when to ask again (RFC 9110), with which token (RFC 6750). */
function addHints({ code, reason, retryAfterMs }: ServiceError, reply: Reply): void {
  if (retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(retryAfterMs / 1_000)));
  if (code === Code.UNAUTHENTICATED) {
    reply.header('www-authenticate', reason === 'INVALID_TOKEN' ? 'Bearer error="invalid_token"' : 'Bearer');
  } else if (reason === 'INSUFFICIENT_SCOPE') reply.header('www-authenticate', 'Bearer error="insufficient_scope"');
}

export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    sendProblem(error, host.switchToHttp().getResponse<Reply>());
  }
}
