import { Code, ServiceError } from '@holdfast/core';
import { describe, expect, it } from 'vitest';
import { Admittance, type AdmittanceHeaders } from './admittance.js';

const TOKEN = 'a token of enough length';

/** What `check` refuses with; undefined where it does not. */
function refusal(check: () => void): ServiceError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error as ServiceError;
  }
}

describe('who may look', () => {
  const admittance = new Admittance(undefined, ['Gateway.internal']);

  it.each([
    '127.0.0.1:9000',
    '[::1]:9000',
    '10.4.0.7',
    'localhost:9000',
    'LOCALHOST',
    'a.localhost:1',
    'gateway.internal',
  ])('who asks for %s', (host) => expect(refusal(() => admittance.mayLook({ host }))).toBeUndefined());

  it.each(['evil.example', 'evil.example:9000', 'localhost.evil.example', '127.0.0.1.evil.example', '', 'gateway'])(
    'not who asks for "%s", a name that may have been turned to this address',
    (host) =>
      expect(refusal(() => admittance.mayLook({ host }))).toMatchObject({
        code: Code.PERMISSION_DENIED,
        reason: 'UNKNOWN_HOST',
      }),
  );
});

describe('who may act', () => {
  const good: AdmittanceHeaders = {
    host: '127.0.0.1:9000',
    origin: 'http://127.0.0.1:9000',
    'sec-fetch-site': 'same-origin',
    authorization: `Bearer ${TOKEN}`,
    'x-holdfast-action': '1',
  };
  const admittance = new Admittance(TOKEN);
  const { origin: _origin, 'sec-fetch-site': _site, ...script } = good;

  it('who has the token, from the page or from a script', () => {
    expect(refusal(() => admittance.mayAct(good))).toBeUndefined();
    expect(refusal(() => admittance.mayAct(script))).toBeUndefined();
  });

  it.each([
    ['another token', { authorization: 'Bearer another token entirely' }, Code.UNAUTHENTICATED],
    ['a longer token', { authorization: `Bearer ${TOKEN}x` }, Code.UNAUTHENTICATED],
    ['no token', { authorization: undefined }, Code.UNAUTHENTICATED],
    ['another scheme', { authorization: `Basic ${TOKEN}` }, Code.UNAUTHENTICATED],
    ['another site', { 'sec-fetch-site': 'cross-site' }, Code.PERMISSION_DENIED],
    ['a sibling site', { 'sec-fetch-site': 'same-site' }, Code.PERMISSION_DENIED],
    ['another port', { origin: 'http://127.0.0.1:9001' }, Code.PERMISSION_DENIED],
    ['a hidden origin', { origin: 'null' }, Code.PERMISSION_DENIED],
    ['no header of ours', { 'x-holdfast-action': undefined }, Code.PERMISSION_DENIED],
    ['a name that was turned here', { host: 'evil.example', origin: 'http://evil.example' }, Code.PERMISSION_DENIED],
  ] as const)('nobody with %s', (_what, headers, code) => {
    const refused = refusal(() => admittance.mayAct({ ...good, ...headers } as AdmittanceHeaders));
    expect(refused?.code).toBe(code);
    expect(refused!.message).toMatch(/\.$/);
    expect(refused!.message).not.toContain(TOKEN);
  });

  it('nobody at all where no token is set, whatever is sent', () => {
    for (const authorization of [undefined, 'Bearer ', 'Bearer undefined', `Bearer ${TOKEN}`]) {
      const refused = refusal(() => new Admittance(undefined).mayAct({ ...good, authorization }));
      expect(refused).toMatchObject({ code: Code.PERMISSION_DENIED, reason: 'READ_ONLY' });
    }
  });
});
