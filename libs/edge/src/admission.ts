import { randomUUID } from 'node:crypto';
import { IDENTITY_HEADER, ServiceError, type Clock, type Live } from '@holdfast/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientOf, rangesOf, within } from './client-address.js';
import { ClientLimit, tooMany, type Allowance } from './client-limit.js';
import type { ClientLimitSpec } from './edge-spec.js';
import type { Identity } from './identity.js';
import { RecentMap } from './recent-map.js';
import type { TokenVerifier } from './token-verifier.js';

const REQUEST_ID = /^[\w.:-]{1,128}$/;
const BEARER = /^Bearer ([\w.~+/-]+=*)$/i;
/** Addresses of which it is remembered whether limits count for them. */
const MOST_ADDRESSES = 10_000;
/** The longest that an IP address is as text; what a proxy passes on may be anything. */
const LONGEST_ADDRESS = 45;
const ADMITTED = Symbol('admitted');

/** What the door has found out about a request. */
export interface Admitted {
  readonly requestId: string;
  /** Whose requests it counts with: an identity's or an address's. Undefined where no limit counts. */
  readonly client: string | undefined;
  /** Undefined where nobody is asked who he is, or the request does not say. */
  readonly identity: Identity | undefined;
  /** What is wrong with the token that it brought; a public route serves it all the same. */
  readonly refusal: ServiceError | undefined;
}

interface Slots {
  [ADMITTED]?: Admitted;
}

/** What the door has found out about `request`; undefined where it came in by another one, as in a spec. */
export function admittedOf(request: object): Admitted | undefined {
  return (request as Slots)[ADMITTED];
}

export interface AdmissionDeps {
  readonly limit: Live<ClientLimitSpec>;
  /** Undefined where nobody is asked who he is. */
  readonly verifier: TokenVerifier | undefined;
  readonly clock: Clock;
}

/**
 * The door: every request gets an id, a client that it counts for, and, where its token is good, an identity. It comes before
 * the body is read, so a client that has used up its limit costs next to nothing.
 */
export class Admission {
  readonly #limit: ClientLimit;
  readonly #verifier: TokenVerifier | undefined;
  readonly #spec: Live<ClientLimitSpec>;
  #exempt = rangesOf([]);
  #clients = new RecentMap<string, { readonly key: string | undefined }>(MOST_ADDRESSES);

  constructor({ limit, verifier, clock }: AdmissionDeps) {
    this.#limit = new ClientLimit(limit, clock);
    this.#verifier = verifier;
    this.#spec = limit;
    this.#learnExempt();
    limit.subscribe(() => this.#learnExempt());
  }

  /**
   * Lets `request` in, at once where that is possible.
   * @throws RateLimited (as a rejection, where it waited) for a client that has made too many
   */
  admit(request: FastifyRequest, reply: FastifyReply): void | Promise<void> {
    const { headers } = request;
    // Only this process says on whose behalf it calls others.
    if (IDENTITY_HEADER in headers) delete headers[IDENTITY_HEADER];
    const requestId = requestIdOf(headers['x-request-id']);
    reply.header('x-request-id', requestId);
    const address = this.#clientAt(request.ip.slice(0, LONGEST_ADDRESS));
    const token = this.#verifier && tokenOf(headers.authorization);
    if (this.#verifier === undefined || token === undefined) return this.#enter(request, reply, { requestId, address });
    const identity = this.#verifier.believed(token);
    if (identity) return this.#enter(request, reply, { requestId, address, identity });
    return this.#verify(this.#verifier, token, request, reply, { requestId, address });
  }

  async #verify(verifier: TokenVerifier, token: string, request: FastifyRequest, reply: FastifyReply, entry: Entry) {
    // To check a signature is work that a stranger can ask for: it is charged to the address until there is a good one.
    if (entry.address !== undefined) {
      const allowance = this.#limit.peek(entry.address);
      if (!allowance.allowed) throw refused(reply, allowance);
    }
    let outcome: Pick<Entry, 'identity' | 'refusal'>;
    try {
      outcome = { identity: await verifier.verify(token) };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      outcome = { refusal: error };
    }
    this.#enter(request, reply, { ...entry, ...outcome });
  }

  #enter(request: FastifyRequest, reply: FastifyReply, { requestId, address, identity, refusal }: Entry): void {
    const client = address !== undefined && identity ? `sub ${identity.subject}` : address;
    (request as Slots)[ADMITTED] = { requestId, client, identity, refusal };
    if (client === undefined) return;
    const allowance = this.#limit.take(client);
    if (!allowance.allowed) throw refused(reply, allowance);
    tell(reply, allowance);
  }

  #clientAt(address: string): string | undefined {
    const known = this.#clients.get(address);
    if (known) return known.key;
    const key = address === '' || within(this.#exempt, address) ? undefined : clientOf(address);
    this.#clients.set(address, { key });
    return key;
  }

  #learnExempt(): void {
    this.#exempt = rangesOf(this.#spec.value.exempt);
    this.#clients = new RecentMap(MOST_ADDRESSES);
  }
}

interface Entry {
  readonly requestId: string;
  readonly address: string | undefined;
  readonly identity?: Identity | undefined;
  readonly refusal?: ServiceError | undefined;
}

/** Says in headers what is left, by draft-ietf-httpapi-ratelimit-headers-06; of several limits the last one is told. */
export function tell(reply: Pick<FastifyReply, 'header'>, { limit, remaining, resetSeconds }: Allowance): void {
  reply.header('ratelimit-limit', limit);
  reply.header('ratelimit-remaining', remaining);
  reply.header('ratelimit-reset', resetSeconds);
}

function refused(reply: FastifyReply, allowance: Allowance): ServiceError {
  tell(reply, allowance);
  return tooMany(allowance);
}

function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && REQUEST_ID.test(header) ? header : randomUUID();
}

/** The token; one that is none is given on as it is, to be refused. */
function tokenOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  return BEARER.exec(authorization)?.[1] ?? '';
}
