import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { Code, ServiceError } from '@holdfast/core';

/** The headers of a request that admittance is a matter of. */
export interface AdmittanceHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly authorization?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
  readonly 'x-holdfast-action'?: string | string[] | undefined;
}

/** Who may look at the page, and who may act from it. */
export class Admittance {
  readonly #token: Buffer | undefined;
  readonly #names: ReadonlySet<string>;

  /**
   * @param token what an operator must show; without one nobody may act
   * @param names host names under which the page may be opened, beside IP addresses and localhost
   */
  constructor(token: string | undefined, names: readonly string[] = []) {
    this.#token = token === undefined ? undefined : digestOf(token);
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  /**
   * Refuses a request that was made under a name that is not this process's own: a stranger's page whose name was turned to this
   * address (DNS rebinding) could read what it likes.
   * @throws ServiceError PERMISSION_DENIED
   */
  mayLook({ host = '' }: AdmittanceHeaders): void {
    const name = nameIn(host);
    if (isIP(name) || name === 'localhost' || name.endsWith('.localhost') || this.#names.has(name)) return;
    throw new ServiceError(
      Code.PERMISSION_DENIED,
      'This page is not shown under that host name; open it by IP address or localhost, as through a port-forward.',
      { reason: 'UNKNOWN_HOST' },
    );
  }

  /**
   * Refuses who is no operator. A page of another origin can send neither of the two headers without being asked first, and nothing
   * here answers that question.
   * @throws ServiceError PERMISSION_DENIED, or UNAUTHENTICATED where the token is not the one
   */
  mayAct(headers: AdmittanceHeaders): void {
    this.mayLook(headers);
    const { host, origin, authorization = '' } = headers;
    const site = headers['sec-fetch-site'];
    const foreign = (site !== undefined && site !== 'same-origin') || (origin !== undefined && hostOf(origin) !== host);
    if (foreign || headers['x-holdfast-action'] === undefined) {
      throw new ServiceError(Code.PERMISSION_DENIED, 'Actions are taken from the live page itself.', {
        reason: 'FOREIGN',
      });
    }
    if (!this.#token) {
      throw new ServiceError(Code.PERMISSION_DENIED, 'This page only shows; set ADMIN_TOKEN to act from it.', {
        reason: 'READ_ONLY',
      });
    }
    const given = /^Bearer (.+)$/.exec(authorization)?.[1] ?? '';
    // Digests have one length, so that the time it takes tells nothing.
    if (!timingSafeEqual(digestOf(given), this.#token)) {
      throw new ServiceError(Code.UNAUTHENTICATED, 'That is not the token that ADMIN_TOKEN holds.');
    }
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function nameIn(host: string): string {
  const name = host.startsWith('[') ? host.slice(1).split(']')[0]! : host.replace(/:\d*$/, '');
  return name.toLowerCase();
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
