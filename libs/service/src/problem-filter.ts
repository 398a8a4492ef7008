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
const logger = new Logger('Problem');

/**
 * What a caller over HTTP is told of an error. ServiceError and HttpException speak for themselves; of anything else, a bug, it
 * learns nothing but the status.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof ServiceError) {
    const { http, title, name } = codeFacts[error.code];
    const problem = {
      type: 'about:blank',
      title,
      status: http,
      detail: error.message,
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
  return { type: 'about:blank', title, status, detail: 'The request could not be served.', code: name };
}

/** Answers a request that failed with problem+json, unless an answer has already begun. */
export function sendProblem(error: unknown, reply: Reply): void {
  const problem = problemOf(error);
  if (problem.status === codeFacts[Code.INTERNAL].http) logger.error(error);
  if (reply.sent) return;
  const retryAfterMs = error instanceof ServiceError ? error.retryAfterMs : undefined;
  if (retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(retryAfterMs / 1_000)));
  reply.code(problem.status).header('content-type', 'application/problem+json').send(JSON.stringify(problem));
}

export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    sendProblem(error, host.switchToHttp().getResponse<Reply>());
  }
}
