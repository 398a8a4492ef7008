import type { CallObserver } from '@holdfast/core';
import type { RpcClientObserver } from '@holdfast/rpc';
import type { Registry } from 'prom-client';
import type { AccessLog } from './logs/access-log.js';
import { Durations } from './metrics/durations.js';
import { CalledObserver, RouteObserver, ServedObserver } from './observers.js';
import type { Spans } from './spans.js';

/** The steps that OpenTelemetry's conventions advise for HTTP, in seconds. */
const HTTP_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Every third or so of the steps that gRFC A66 advises, in seconds: each step is a series of each method, target and status. */
const RPC_BOUNDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
/** The methods of RFC 9110 and 5789; a client may send any word in their place. */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);
/** The route of requests that no route was found for: their paths are as many as their senders like. */
const UNMATCHED = 'unmatched';

/**
 * Rate, errors and durations of everything that is asked and answered, at each side. HTTP by OpenTelemetry's conventions
 * (`http.server.request.duration`), gRPC by gRFC A66 (`grpc.server.call.duration`, `grpc.client.attempt.duration`,
 * `grpc.client.call.duration`), both as Prometheus writes their names.
 */
export class RequestMetrics {
  readonly #spans: Spans | undefined;
  readonly #access: AccessLog;
  readonly #http: Durations;
  readonly #served: Durations;
  readonly #attempts: Durations;
  readonly #calls: Durations;
  readonly #routes = new Map<string, Map<string, RouteObserver>>();

  constructor(registry: Registry, spans: Spans | undefined, access: AccessLog) {
    this.#spans = spans;
    this.#access = access;
    this.#http = new Durations(registry, {
      name: 'http_server_request_duration_seconds',
      help: 'Requests over HTTP and how long they took until their answer was sent, by route.',
      labels: ['http_request_method', 'http_route', 'http_response_status_code'],
      bounds: HTTP_BOUNDS,
    });
    this.#served = new Durations(registry, {
      name: 'grpc_server_call_duration_seconds',
      help: 'Calls served over gRPC and how long they took.',
      labels: ['grpc_method', 'grpc_status'],
      bounds: RPC_BOUNDS,
    });
    const labels = ['grpc_method', 'grpc_target', 'grpc_status'];
    this.#attempts = new Durations(registry, {
      name: 'grpc_client_attempt_duration_seconds',
      help: 'Attempts sent to instances of a target and how long they took.',
      labels,
      bounds: RPC_BOUNDS,
    });
    this.#calls = new Durations(registry, {
      name: 'grpc_client_call_duration_seconds',
      help: 'Calls of a target, with all their attempts, and how long they took.',
      labels,
      bounds: RPC_BOUNDS,
    });
  }

  /** The observer of a route's requests, found once for each. `route` is its template; undefined where none was found. */
  route(method: string, route: string | undefined): CallObserver {
    const known = METHODS.has(method) ? method : '_OTHER';
    const path = route ?? UNMATCHED;
    let ofMethod = this.#routes.get(known);
    if (!ofMethod) this.#routes.set(known, (ofMethod = new Map()));
    let observer = ofMethod.get(path);
    if (!observer) {
      observer = new RouteObserver({
        durations: this.#http,
        labels: [known, path],
        spans: this.#spans,
        spanName: route === undefined ? known : `${known} ${route}`,
        kind: 'server',
        facts: { 'http.request.method': known, ...(route !== undefined && { 'http.route': route }) },
      });
      ofMethod.set(path, observer);
    }
    return observer;
  }

  /** The observer of a served method, `/user.v1.UserService/GetUser`. */
  served(path: string): CallObserver {
    const method = path.slice(1);
    return new ServedObserver(
      {
        durations: this.#served,
        labels: [method],
        spans: this.#spans,
        spanName: method,
        kind: 'server',
        facts: { 'rpc.system.name': 'grpc', 'rpc.method': method },
      },
      this.#access,
    );
  }

  /** The observer of a target's method, `/user.v1.UserService/GetUser`. */
  called(path: string, target: string): RpcClientObserver {
    const method = path.slice(1);
    return new CalledObserver(
      {
        durations: this.#attempts,
        labels: [method, target],
        spans: this.#spans,
        spanName: method,
        kind: 'client',
        facts: { 'rpc.system.name': 'grpc', 'rpc.method': method, 'server.address': target },
      },
      this.#calls,
    );
  }
}
