import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { RpcErrorFilter } from '@holdfast/rpc';
import type { Observable } from 'rxjs';
import { ProblemFilter } from './problem-filter.js';

/** Tells the caller of an error in the words of its protocol: problem+json over HTTP, a status with details over gRPC. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  readonly #http = new ProblemFilter();
  readonly #rpc = new RpcErrorFilter();

  catch(error: unknown, host: ArgumentsHost): void | Observable<never> {
    return host.getType() === 'http' ? this.#http.catch(error, host) : this.#rpc.catch(error, host);
  }
}
