import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { handlerError } from './handler-error.js';

/**
 * Gives RPC callers the error that a guard, pipe, interceptor or handler threw, by the rules of `handlerError`. Without
 * it, Nest's own filter makes every error but RpcException a bare `Internal server error`.
 *
 * Nest binds filters to handlers when the server is connected, so it must be set before:
 * `app.useGlobalFilters(new RpcErrorFilter(httpFilter))`, then
 * `app.connectMicroservice({ strategy }, { inheritAppConfig: true })`. HTTP and RPC then share one list of filters, in
 * which the one added last wins: hence the filter for HTTP within this one. A server without HTTP needs none.
 */
@Catch()
export class RpcErrorFilter implements ExceptionFilter {
  readonly #otherwise: ExceptionFilter | undefined;

  /** @param otherwise what deals with errors of anything but RPC; without it they are thrown on */
  constructor(otherwise?: ExceptionFilter) {
    this.#otherwise = otherwise;
  }

  catch(thrown: unknown, host: ArgumentsHost): Observable<never> | unknown {
    if (host.getType() !== 'rpc') {
      const otherwise = this.#otherwise;
      if (!otherwise) throw thrown;
      // oxlint-disable-next-line promise/valid-params -- a filter's method, no promise's
      return otherwise.catch(thrown, host);
    }
    return throwError(() => handlerError(thrown));
  }
}
