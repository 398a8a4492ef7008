import { StartupError } from '@holdfast/core';
import type { MessageHandler } from '@nestjs/microservices';
import type { ServiceDefinition } from '../method.js';

/** How Nest's decorators mark a handler: @GrpcMethod, @GrpcStreamMethod, @GrpcStreamCall. */
export type HandlerKind = 'no_stream' | 'rx_stream' | 'pt_stream';

export interface FoundHandler {
  readonly kind: HandlerKind;
  readonly handle: MessageHandler;
}

interface Pattern {
  readonly service: string;
  readonly rpc: string;
  readonly streaming: HandlerKind;
}

/**
 * Finds the handler of every method: `method path → handler`. A decorator may name its service as `UserService` or in
 * full as `user.v1.UserService`.
 * @throws StartupError naming the method without a handler, or the handler without a method
 */
export function matchHandlers(
  services: readonly ServiceDefinition[],
  handlers: ReadonlyMap<string, MessageHandler>,
): ReadonlyMap<string, FoundHandler> {
  const found = new Map<string, FoundHandler>();
  const used = new Set<string>();
  for (const service of services) {
    for (const method of Object.values(service.methods)) {
      const kinds: readonly HandlerKind[] = method.requestStream ? ['rx_stream', 'pt_stream'] : ['no_stream'];
      const candidates = kinds.flatMap((kind) =>
        [service.fullName, service.name].map((name) => ({ kind, key: keyOf(name, method.name, kind) })),
      );
      const match = candidates.find(({ key }) => handlers.has(key));
      const handle = match && handlers.get(match.key);
      if (!match || !handle) throw noHandler(service, method.name, method.requestStream);
      used.add(match.key);
      found.set(`/${service.fullName}/${method.name}`, { kind: match.kind, handle });
    }
  }
  for (const key of handlers.keys()) {
    const pattern = patternOf(key);
    if (pattern && !used.has(key)) throw noMethod(pattern, services);
  }
  return found;
}

/** Nest's key for a pattern; the order of the fields is part of it. */
function keyOf(service: string, rpc: string, streaming: HandlerKind): string {
  return JSON.stringify({ service, rpc, streaming });
}

/** The pattern of a gRPC handler; undefined for handlers of other transports that Nest adds as well. */
function patternOf(key: string): Pattern | undefined {
  if (!key.startsWith('{')) return undefined;
  const pattern = JSON.parse(key) as Partial<Pattern>;
  return pattern.service !== undefined && pattern.rpc !== undefined ? (pattern as Pattern) : undefined;
}

function noHandler(service: ServiceDefinition, method: string, requestStream: boolean): StartupError {
  const decorator = requestStream ? 'GrpcStreamMethod' : 'GrpcMethod';
  return new StartupError(
    `${service.fullName} has no handler for ${method}; write one with @${decorator}('${service.name}', '${method}') in a controller of the module.`,
  );
}

function noMethod({ service, rpc, streaming }: Pattern, services: readonly ServiceDefinition[]): StartupError {
  const known = services.find(({ name, fullName }) => service === name || service === fullName);
  if (!known) {
    const served = services.map(({ fullName }) => fullName).join(', ') || 'none';
    return new StartupError(
      `The handler of ${service}.${rpc} belongs to no service of this server, which are: ${served}.`,
    );
  }
  const method = Object.values(known.methods).find(({ name }) => name === rpc);
  if (!method) return new StartupError(`The handler of ${service}.${rpc} belongs to no method of ${known.fullName}.`);
  const wrongKind = method.requestStream !== (streaming !== 'no_stream');
  return new StartupError(
    wrongKind
      ? `The handler of ${service}.${rpc} must be marked with @${method.requestStream ? 'GrpcStreamMethod' : 'GrpcMethod'}.`
      : `${known.fullName} has more than one handler for ${rpc}.`,
  );
}
