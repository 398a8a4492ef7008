import type { Random } from '@holdfast/core';

/** One request, as a stranger might send it. */
export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | undefined;
  /** The path in the description that it is meant for; undefined where it is meant for none. */
  readonly route: string | undefined;
}

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

/** The part of an OpenAPI description that requests are made from. */
export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const NAMES = ['alice', 'bob', 'dora', 'Zoë', 'a b', '李小龍', '🙂', "Robert'); DROP TABLE users;--"];
const STRANGE = [
  '', ' ', '%', '%zz', '%00', '%E0%A4%A', '..', '../../etc/passwd', '%2e%2e%2f', 'null', '-1', '__proto__', 'constructor',
  'x'.repeat(65), 'x'.repeat(1_100), '%f0%9f%99%82', '\u202e', '{{7*7}}', '<script>', '${jndi:ldap://x}', '%0d%0aset-cookie:x=1',
]; // prettier-ignore
const VALUES: readonly unknown[] = [
  null, true, 0, -1, 1e308, '', ' ', 'a\u0000b', '\ud800', [], {}, [[[]]], { toString: 1 }, 'x'.repeat(2_000),
  { $ne: null }, ['alice'], { name: 'alice' }, '9'.repeat(400),
]; // prettier-ignore
const BODIES: readonly (string | Buffer)[] = [
  '', '{', '[', 'null', '"x"', '{"name":}', '{"name":"a"}{"name":"b"}', '{"name":"a","name":"b"}', '{"__proto__":{"admin":true},"name":"a"}',
  '{"constructor":{"prototype":{}},"name":"a"}', `${'['.repeat(5_000)}${']'.repeat(5_000)}`, `{"name":"${'x'.repeat(70_000)}"}`,
  `{${Array.from({ length: 500 }, (_, n) => `"f${n}":${n}`).join()}}`, Buffer.from([0xff, 0xfe, 0x00, 0x7b]), Buffer.alloc(100_000, 0x20),
]; // prettier-ignore
const TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  'application/xml',
  'multipart/form-data',
  'x',
  '',
];
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  accept: ['*/*', 'text/event-stream', 'application/json', 'image/png', 'text/event-stream;q=x', ';;;'],
  'accept-encoding': ['gzip', 'br', 'gzip, br;q=0', '*', 'identity;q=0', 'zzz', 'gzip;q=9'],
  'idempotency-key': ['k', '"k"', 'x'.repeat(300), ' ', 'é', '"', '{}'],
  'if-none-match': ['*', '"x"', 'W/"x"', ',,,', '"'.repeat(500)],
  'x-request-timeout': ['1', '5', '1000', '-1', '1e9', '999999999', 'x', '0'],
  'x-request-id': ['r', 'x'.repeat(500), '<b>', ' '],
  traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-0-0-0', 'x'],
  tracestate: ['a=b', 'x'.repeat(2_000)],
  'x-holdfast-identity': ['mallory', 'a.b'],
  'x-forwarded-proto': ['https', 'gopher'],
  origin: ['https://app.test', 'https://evil.test', 'null'],
  cookie: ['a=b', 'x'.repeat(4_000)],
  'content-encoding': ['gzip', 'zzz'],
  expect: ['200-maybe'],
  range: ['bytes=0-1', 'bytes=9-1'],
  upgrade: ['h2c'],
};

/** Requests made from `description`, as seldom right as wrong, by chance of a seed. */
export class Traffic {
  readonly #targets: readonly { route: string; method: string; operation: Operation }[];
  readonly #tokens: readonly string[];
  readonly #random: Random;

  /** @param tokens values of the Authorization header, good and bad; an empty one is left out */
  constructor(description: Description, tokens: readonly string[], random: Random) {
    this.#targets = Object.entries(description.paths).flatMap(([route, item]) =>
      Object.entries(item).map(([method, operation]) => ({ route, method: method.toUpperCase(), operation })),
    );
    this.#tokens = tokens;
    this.#random = random;
  }

  next(): Shot {
    const { route, method, operation } = this.#one(this.#targets);
    const versioned = this.#chance(0.8) ? route : route.replace(/^\/v1/, '');
    const path = versioned.replaceAll(/\{[^}]+\}/g, () =>
      this.#chance(0.6) ? encodeURIComponent(this.#one(NAMES)) : encodeURI(this.#one(STRANGE)).replaceAll('%25', '%'),
    );
    const known = this.#chance(0.95);
    const headers = this.#headers();
    const body = method === 'POST' ? this.#body(operation) : undefined;
    if (body !== undefined) headers['content-type'] = this.#chance(0.85) ? 'application/json' : this.#one(TYPES);
    return {
      method: known ? method : this.#one(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE']),
      path: path + (this.#chance(0.1) ? `?${this.#one(STRANGE)}=${this.#one(STRANGE)}`.replaceAll(/[^!-~]/g, '_') : ''),
      headers,
      body,
      route: known ? route : undefined,
    };
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = { 'x-forwarded-for': this.#address() };
    const token = this.#one(this.#tokens);
    if (token !== '') headers['authorization'] = token;
    while (this.#chance(0.4)) {
      const name = this.#one(Object.keys(HEADERS));
      headers[name] = this.#one(HEADERS[name]!);
    }
    return headers;
  }

  #address(): string {
    const number = () => Math.floor(this.#random() * 254) + 1;
    if (this.#chance(0.05)) return this.#one(['', 'x', '999.1.1.1', 'x'.repeat(500), '::', '[::1]:80']);
    return this.#chance(0.5) ? `198.18.${number()}.${number()}` : `2001:db8:${number()}:${number()}::1`;
  }

  #body(operation: Operation): string | Buffer {
    if (this.#chance(0.3)) return this.#one(BODIES);
    const schema = operation.requestBody?.content['application/json']?.schema;
    const fields = Object.keys(schema?.properties ?? {}).flatMap((name) => {
      if (this.#chance(0.1)) return [];
      return [[name, this.#chance(0.5) ? this.#one(NAMES) : this.#one(VALUES)]];
    });
    if (this.#chance(0.1)) fields.push([this.#one(STRANGE), this.#one(VALUES)]);
    return JSON.stringify(Object.fromEntries(fields));
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #one<T>(options: readonly T[]): T {
    return options[Math.floor(this.#random() * options.length)]!;
  }
}

/** What is no HTTP, or HTTP that nobody should answer but with a refusal. */
export const rawShots: readonly string[] = [
  'GET / HTTP/9.9\r\n\r\n',
  'NONSENSE\r\n\r\n',
  '\u0000\u0001\u0002\r\n\r\n',
  'GET /v1/users HTTP/1.1\r\n\r\n',
  'GET /v1/users HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
  `GET /v1/users HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
  `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`,
  'POST /v1/users HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /v1/users HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n',
  'POST /v1/users HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  'GET /v1/users HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n',
  'GET http://evil.test/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
  'CONNECT evil.test:443 HTTP/1.1\r\nhost: evil.test\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
];
