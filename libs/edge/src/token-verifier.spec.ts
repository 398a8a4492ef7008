import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Code, StartupError } from '@holdfast/core';
import { FakeClock } from '@holdfast/testing';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { edgeSettings } from './edge-settings.js';
import { TokenVerifier } from './token-verifier.js';

const secret = 'a secret of at least thirty-two bytes';
const [issuer, audience] = ['https://issuer.test', 'gateway'];
const invalid = { code: Code.UNAUTHENTICATED, reason: 'INVALID_TOKEN' };

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});

const verifierOf = (settings: Record<string, string>) => TokenVerifier.from(edgeSettings.parse(settings), clock);

function claims(changes: JWTPayload = {}): JWTPayload {
  const now = Math.floor(clock.wallTime() / 1_000);
  return { sub: 'alice', iss: issuer, aud: audience, scope: 'users:read users:write', exp: now + 600, ...changes };
}

const signed = (payload: JWTPayload, key = secret) =>
  new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(key));

describe('tokens signed by a shared key', () => {
  const settings = { AUTH_JWT_SECRET: secret, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience };

  it('say who it is and what may be done', async () => {
    const verifier = verifierOf(settings)!;
    expect(await verifier.verify(await signed(claims()))).toEqual({
      subject: 'alice',
      scopes: ['users:read', 'users:write'],
    });
    const listed = await signed({ ...claims(), scope: undefined, scp: ['a', 'b'] } as JWTPayload);
    expect(await verifier.verify(listed)).toMatchObject({ scopes: ['a', 'b'] });
    const none = await signed({ ...claims(), scope: undefined } as unknown as JWTPayload);
    expect(await verifier.verify(none)).toMatchObject({ scopes: [] });
  });

  it('are believed for a minute without another look, and never past their end', async () => {
    const verifier = verifierOf(settings)!;
    const token = await signed(claims());
    expect(verifier.believed(token)).toBeUndefined();
    const identity = await verifier.verify(token);
    expect(verifier.believed(token)).toBe(identity);
    await clock.advance(60_000);
    expect(verifier.believed(token)).toBeUndefined();

    const short = await signed(claims({ exp: clock.wallTime() / 1_000 + 2 }));
    await verifier.verify(short);
    await clock.advance(2_000);
    expect(verifier.believed(short)).toBeUndefined();
    await clock.advance(6_000);
    await expect(verifier.verify(short)).rejects.toMatchObject({ ...invalid, message: 'The token has expired.' });
  });

  it.each([
    ['another key', () => signed(claims(), `${secret}!`)],
    ['another issuer', () => signed(claims({ iss: 'https://other.test' }))],
    ['another audience', () => signed(claims({ aud: 'another' }))],
    ['no subject', () => signed({ ...claims(), sub: undefined } as unknown as JWTPayload)],
    ['no end', () => signed({ ...claims(), exp: undefined } as unknown as JWTPayload)],
    ['a time to come', () => signed(claims({ nbf: clock.wallTime() / 1_000 + 60 }))],
    ['no signature', () => Promise.resolve(new UnsecuredJWT(claims()).encode())],
    ['another algorithm', () => new SignJWT(claims()).setProtectedHeader({ alg: 'HS512' }).sign(Buffer.from(secret))],
    ['no content', () => Promise.resolve('')],
    ['nonsense', () => Promise.resolve('a.b.c')],
  ])('are refused with %s', async (_what, token) => {
    await expect(verifierOf(settings)!.verify(await token())).rejects.toMatchObject(invalid);
  });
});

describe('tokens signed by a key of a JWK set', () => {
  let server: Server;
  let url: string;
  let privateKey: CryptoKey;
  let publicKey: CryptoKey;
  let asked: number;
  let answer: { status: number; body: string };

  beforeAll(async () => {
    ({ privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true }));
    server = createServer((_request, response) => {
      asked++;
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    asked = 0;
    answer = {
      status: 200,
      body: JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: '1', alg: 'ES256' }] }),
    };
  });

  const verifier = () => verifierOf({ AUTH_JWKS_URL: url, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience })!;
  const sign = (kid = '1') => new SignJWT(claims()).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);

  it('are good, and the keys are asked for once', async () => {
    const keys = verifier();
    for (let n = 0; n < 5; n++) expect(await keys.verify(await sign())).toMatchObject({ subject: 'alice' });
    expect(asked).toBe(1);
  });

  it('are refused with a key that is not in the set, and where the public key would be a shared one', async () => {
    await expect(verifier().verify(await sign('2'))).rejects.toMatchObject(invalid);
    const shared = Buffer.from(JSON.stringify(await exportJWK(publicKey)));
    const forged = await new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: '1' }).sign(shared);
    await expect(verifier().verify(forged)).rejects.toMatchObject(invalid);
  });

  it.each([
    ['an error', { status: 500, body: '' }],
    ['no JSON', { status: 200, body: 'sorry' }],
    ['no set', { status: 200, body: '{}' }],
  ])('are not the client’s fault where the issuer answers with %s', async (_what, wrong) => {
    answer = wrong;
    await expect(verifier().verify(await sign())).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
      reason: 'KEYS_UNAVAILABLE',
      retryAfterMs: 1_000,
    });
  });

  it('nor where it does not answer', async () => {
    const keys = verifierOf({ AUTH_JWKS_URL: 'http://127.0.0.1:1/', AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience })!;
    await expect(keys.verify(await sign())).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  });
});

describe('the settings', () => {
  it('without a key ask nobody', () => expect(verifierOf({})).toBeUndefined());

  it.each([
    [{ AUTH_JWKS_URL: 'https://issuer.test/keys' }, 'AUTH_AUDIENCE'],
    [{ AUTH_JWKS_URL: 'https://issuer.test/keys', AUTH_ISSUER: issuer }, 'AUTH_AUDIENCE'],
    [{ AUTH_JWKS_URL: 'https://issuer.test/keys', AUTH_JWT_SECRET: secret }, 'both'],
  ])('%j are refused at the start', (settings, hint) => {
    const read = () => verifierOf(settings as Record<string, string>);
    expect(read).toThrow(StartupError);
    expect(read).toThrow(hint);
  });

  it.each([
    ['AUTH_JWKS_URL', 'http://issuer.test/keys', false],
    ['AUTH_JWKS_URL', 'http://localhost:1/keys', true],
    ['AUTH_JWKS_URL', 'keys', false],
    ['AUTH_JWT_SECRET', 'too short', false],
    ['IDENTITY_SECRET', 'x'.repeat(31), false],
    ['IDENTITY_SECRET', 'x'.repeat(32), true],
    ['TRUST_PROXY', '10.0.0.0/8, 192.0.2.1,::1/128', true],
    ['TRUST_PROXY', 'true', false],
    ['TRUST_PROXY', '10.0.0.0/33', false],
    ['CORS_ORIGINS', 'https://app.test,https://b.test:8443', true],
    ['CORS_ORIGINS', '*', true],
    ['CORS_ORIGINS', 'app.test', false],
    ['CORS_ORIGINS', 'https://app.test/', false],
  ])('%s may be %j: %s', (name, value, good) => {
    expect(edgeSettings.safeParse({ [name]: value }).success).toBe(good);
  });
});
