import { Code, ServiceError, StartupError, type Clock } from '@holdfast/core';
import {
  createRemoteJWKSet,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose';
import type { EdgeSettings } from './edge-settings.js';
import type { Identity } from './identity.js';
import { RecentMap } from './recent-map.js';

/** Tokens whose outcome is surely remembered. */
const MOST_TOKENS = 5_000;
/** How long a token is believed before its signature and the issuer's keys are looked at again, in milliseconds. */
const BELIEVED_MS = 60_000;
/** Longest time that the keys may take to fetch, in milliseconds. */
const KEYS_TIMEOUT_MS = 3_000;
/** How far the issuer's clock may be off, in seconds. */
const TOLERANCE_S = 5;
/** Signatures by public keys alone: a token must not choose that the public key is taken for a shared one. */
const PUBLIC_KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];
const SHARED_KEY_ALGORITHMS = ['HS256'];

interface Believed {
  readonly identity: Identity;
  /** On the wall clock, in milliseconds. */
  readonly until: number;
}

/** Bearer tokens: JWTs as RFC 9068 has them, signed by the key that the settings name. */
export class TokenVerifier {
  readonly #key: Uint8Array | JWTVerifyGetKey;
  readonly #options: JWTVerifyOptions;
  readonly #clock: Clock;
  readonly #believed = new RecentMap<string, Believed>(MOST_TOKENS);

  private constructor(key: Uint8Array | JWTVerifyGetKey, options: JWTVerifyOptions, clock: Clock) {
    this.#key = key;
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * By the settings; undefined where they name no key, which means that nobody is asked who he is.
   * @throws StartupError where they contradict each other or leave open whose tokens are meant
   */
  static from(settings: EdgeSettings, clock: Clock): TokenVerifier | undefined {
    const { AUTH_JWKS_URL: url, AUTH_JWT_SECRET: secret, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = settings;
    const options = {
      requiredClaims: ['sub', 'exp'],
      clockTolerance: TOLERANCE_S,
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    };
    if (url !== undefined && secret !== undefined) {
      throw new StartupError('AUTH_JWKS_URL and AUTH_JWT_SECRET are both set; keep the one that tokens are signed by.');
    }
    if (url !== undefined) {
      if (issuer === undefined || audience === undefined) {
        throw new StartupError(
          'AUTH_JWKS_URL needs AUTH_ISSUER and AUTH_AUDIENCE, or every token of that issuer would do, whomever it is for.',
        );
      }
      const keys = createRemoteJWKSet(new URL(url), { timeoutDuration: KEYS_TIMEOUT_MS });
      return new TokenVerifier(keys, { ...options, algorithms: PUBLIC_KEY_ALGORITHMS }, clock);
    }
    if (secret === undefined) return undefined;
    return new TokenVerifier(Buffer.from(secret), { ...options, algorithms: SHARED_KEY_ALGORITHMS }, clock);
  }

  /** The identity of a token that was verified not long ago; undefined for any other. */
  believed(token: string): Identity | undefined {
    const known = this.#believed.get(token);
    return known && this.#clock.wallTime() < known.until ? known.identity : undefined;
  }

  /**
   * @throws ServiceError UNAUTHENTICATED where the token is not good; UNAVAILABLE where the keys cannot be had
   */
  async verify(token: string): Promise<Identity> {
    const now = this.#clock.wallTime();
    const options = { ...this.#options, currentDate: new Date(now) };
    try {
      // The two forms of the key are two overloads.
      const key = this.#key;
      const { payload } = await (key instanceof Uint8Array
        ? jwtVerify(token, key, options)
        : jwtVerify(token, key, options));
      const identity = identityOf(payload);
      this.#believed.set(token, { identity, until: Math.min(now + BELIEVED_MS, payload.exp! * 1_000) });
      return identity;
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

/** Scopes are words in one text (RFC 8693), or, with some issuers, a list. */
function identityOf({ sub, scope, scp }: JWTPayload): Identity {
  const given = scope ?? scp;
  const words = Array.isArray(given) ? given : typeof given === 'string' ? given.split(' ') : [];
  return { subject: sub!, scopes: words.filter((word) => typeof word === 'string' && word !== '') };
}

function refusalOf(error: unknown): ServiceError {
  if (error instanceof errors.JWTExpired) return invalidToken('The token has expired.', error);
  if (isTheTokens(error)) return invalidToken('The token is not valid.', error);
  const message = 'The keys that tokens are checked with cannot be had at the moment.';
  return new ServiceError(Code.UNAVAILABLE, message, { reason: 'KEYS_UNAVAILABLE', retryAfterMs: 1_000, cause: error });
}

/** False where it is the keys that are missing: no connection, no answer in time, another status than 200, no set of keys. */
function isTheTokens(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return false;
  if (error instanceof errors.JOSEError) return error.constructor !== errors.JOSEError;
  return !(error instanceof TypeError && error.cause !== undefined);
}

function invalidToken(message: string, cause: unknown): ServiceError {
  return new ServiceError(Code.UNAUTHENTICATED, message, { reason: 'INVALID_TOKEN', cause });
}
