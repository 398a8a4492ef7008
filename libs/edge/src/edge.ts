import type { Config } from '@holdfast/config';
import type { Clock } from '@holdfast/core';
import fastifyCompress from '@fastify/compress';
import { Logger, type DynamicModule, type Type } from '@nestjs/common';
import type { FastifyAdapter, NestFastifyApplication } from '@nestjs/platform-fastify';
import { Admission } from './admission.js';
import { ClientLimit } from './client-limit.js';
import { routeLimitsOf } from './edge-demands.js';
import { edgeServer } from './edge-server.js';
import type { EdgeSettings } from './edge-settings.js';
import { CLIENT_LIMIT_KEY, clientLimitSpec, EDGE_KEY, edgeSpec, routeLimitKey, routeLimitSpec } from './edge-spec.js';
import { EdgeModule } from './edge.module.js';
import { MemoryIdempotencyStore, type IdempotencyStore } from './idempotency-store.js';
import { sealOf } from './identity.js';
import { serveOpenApi, type OpenApiOptions } from './openapi.js';
import type { RequestObserver } from './request-watch.js';
import type { NamedLimit } from './route-limit.js';
import { TokenVerifier } from './token-verifier.js';
import { versioning } from './versions.js';

/** What an app may say of its HTTP edge; everything has a default that is safe. */
export interface EdgeOptions {
  /** The description at `/openapi.json` and `/docs`; false for none. @default by the service's name */
  readonly openapi?: OpenApiOptions | false;
  /** Largest body of a request, in bytes. @default 65_536 */
  readonly bodyLimit?: number;
  /** Where the answers to requests with an `Idempotency-Key` are kept. @default this process's memory */
  readonly idempotencyStore?: IdempotencyStore;
}

export interface EdgeDeps {
  readonly name: string;
  readonly settings: EdgeSettings;
  readonly config: Config;
  /** The app's classes, for what their decorators say. */
  readonly classes: readonly Type[];
  /** Whether the process is on its way out. */
  readonly draining: () => boolean;
  /** Watches the requests. @default nobody does */
  readonly observer?: RequestObserver;
  readonly clock: Clock;
}

/** Bodies from this length on are compressed, in bytes: below it, the packet is the same. */
const COMPRESS_BYTES = 1_024;
const logger = new Logger('Edge');

/** The HTTP edge of an app, from the connection to the controllers' decorators. */
export class Edge {
  readonly adapter: FastifyAdapter;
  readonly module: DynamicModule;
  readonly #options: EdgeOptions;
  readonly #deps: EdgeDeps;
  readonly #secured: boolean;
  readonly #sealed: boolean;

  /** @throws StartupError where the settings contradict each other */
  constructor(options: EdgeOptions, deps: EdgeDeps) {
    const { settings, config, clock, draining, observer } = deps;
    const verifier = TokenVerifier.from(settings, clock);
    const seal = sealOf(settings.IDENTITY_SECRET, clock);
    const spec = config.live(EDGE_KEY, edgeSpec);
    const limits = new Map(routeLimitsOf(deps.classes).map((limit) => [limit.name, limitOf(limit, config, clock)]));
    const admission = new Admission({ limit: config.live(CLIENT_LIMIT_KEY, clientLimitSpec), verifier, clock });
    this.#options = options;
    this.#deps = deps;
    this.#secured = verifier !== undefined;
    this.#sealed = seal !== undefined;
    const { bodyLimit, idempotencyStore: store = new MemoryIdempotencyStore(clock) } = options;
    const trustProxy = settings.TRUST_PROXY;
    this.adapter = edgeServer({ admission, draining, observer, spec, seal, clock, bodyLimit, trustProxy });
    const limitsOf = ({ name }: NamedLimit) => limits.get(name)!;
    this.module = EdgeModule.of({ authenticates: this.#secured, seal, limits: limitsOf, spec, store });
  }

  /** Sets up `app`, which was made with the adapter and the module: before its routes are. */
  async prepare(app: NestFastifyApplication): Promise<void> {
    const { openapi = {} } = this.#options;
    const origins = this.#deps.settings.CORS_ORIGINS;
    if (origins && origins.length > 0)
      app.enableCors({ origin: origins.includes('*') ? '*' : [...origins], maxAge: 600 });
    app.enableVersioning(versioning);
    // Bodies of requests are never unpacked: a few bytes could become gigabytes.
    await app.register(fastifyCompress, {
      threshold: COMPRESS_BYTES,
      encodings: ['br', 'gzip'],
      globalDecompression: false,
    });
    if (openapi) serveOpenApi(app, this.#deps.classes, { title: this.#deps.name, ...openapi, secured: this.#secured });
  }

  /** Says what is left open, once the app serves. */
  announce(): void {
    if (!this.#secured) {
      logger.warn('No AUTH_JWKS_URL or AUTH_JWT_SECRET is set: everybody may call everything, which is for a demo.');
    } else if (!this.#sealed) {
      logger.warn('No IDENTITY_SECRET is set: services are not told on whose behalf they are called.');
    }
  }
}

function limitOf({ name, limit }: NamedLimit, config: Config, clock: Clock): ClientLimit {
  return new ClientLimit(config.live(routeLimitKey(name), routeLimitSpec, limit), clock);
}
