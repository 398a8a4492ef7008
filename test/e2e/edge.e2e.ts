import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { seededRandom } from '@holdfast/core';
import { AppProcess } from '@holdfast/testing';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawShots, Traffic, type Description, type Shot } from './edge-traffic.js';

const root = join(import.meta.dirname, '../..');
const secret = 'a secret of at least thirty-two bytes';
/** 50,000 take longer than a minute on a small machine: FUZZ_REQUESTS=50000 asks for all of them. */
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 10_000);
const MOST_MS = 300_000;
const LANES = 24;
/** What no answer may contain: paths, stacks, addresses behind the edge, secrets, words of the libraries. */
const LEAK =
  /node_modules|\/work\/|file:\/\/|\n\s+at |127\.0\.0\.1|hunter2|a secret of|ECONN|undefined is not|grpc|sqlite|SQLITE|libsql/i;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

const sign = (claims: Record<string, unknown>, key = secret) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(key));
const later = () => Math.floor(Date.now() / 1_000) + 3_600;

describe('the gateway, as strangers use it', () => {
  let folder: string;
  let users: AppProcess;
  let gateway: AppProcess;
  const agent = new Agent({ keepAlive: true, maxSockets: LANES });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-edge-'));
    await writeFile(
      join(folder, 'holdfast.yaml'),
      'gateway: { rateLimit: { client: { rate: 5, burst: 20, exempt: [] }, users.create: { rate: 1000, burst: 1000 } } }',
    );
    const env = {
      REGISTRY_URL: `file:${join(folder, 'registry')}`,
      CONFIG_URL: `file:${join(folder, 'holdfast.yaml')}`,
      DATABASE_URL: `file:${join(folder, 'users.db')}`,
      SNAPSHOT_DIR: join(folder, 'snapshots'),
      IDENTITY_SECRET: 'another secret, which only the mesh has',
      NODE_ENV: 'production',
    };
    const start = (app: string, more: Record<string, string> = {}) =>
      AppProcess.start(join(root, `apps/${app}/dist/main.js`), { cwd: folder, env: { ...env, ...more } });
    users = await start('user-service');
    // A heap that is kept small shows early whether it grows, and ends the process if it does.
    const NODE_OPTIONS = '--max-semi-space-size=1 --max-old-space-size=96';
    gateway = await start('gateway', { AUTH_JWT_SECRET: secret, TRUST_PROXY: '127.0.0.0/8', NODE_OPTIONS });
  });
  afterAll(async () => {
    agent.destroy();
    await gateway?.[Symbol.asyncDispose]();
    await users?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  async function tokens(): Promise<string[]> {
    const good: string[] = [];
    // As many as there are clients: one would have used up its limit at once.
    for (let n = 0; n < 400; n++)
      good.push(`Bearer ${await sign({ sub: `u${n}`, scope: 'users:write', exp: later() })}`);
    const weak = `Bearer ${await sign({ sub: 'weak', exp: later() })}`;
    const bad = [
      '', 'Bearer', 'Bearer x', 'Bearer a.b.c', 'Basic YTpi', `Bearer ${'x'.repeat(5_000)}`, 'Bearer \u00e9',
      `Bearer ${await sign({ sub: 'alice', exp: 1 })}`, `Bearer ${await sign({ exp: later() })}`,
      `Bearer ${await sign({ sub: 'alice', exp: later() }, 'x'.repeat(32))}`, 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.',
    ]; // prettier-ignore
    return [...good, ...Array<string>(50).fill(weak), ...bad, ...bad, ...bad, ...bad];
  }

  /** Undefined where the connection was closed without an answer. */
  function send(shot: Shot): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(gateway.ready.http!);
      const options = { agent, hostname, port, method: shot.method, path: shot.path, headers: shot.headers };
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => resolve(undefined));
        response.on('end', () => {
          const body = unpacked(Buffer.concat(chunks), response.headers['content-encoding']);
          resolve({ status: response.statusCode!, headers: response.headers, body });
        });
      });
      request.on('error', (error: NodeJS.ErrnoException) =>
        ['ECONNRESET', 'EPIPE', 'HPE_INVALID_CONSTANT'].includes(error.code ?? '')
          ? resolve(undefined)
          : reject(new Error(`${error.code}: ${JSON.stringify(shot).slice(0, 800)}`, { cause: error })),
      );
      request.setTimeout(10_000, () =>
        request.destroy(new Error(`no answer to ${JSON.stringify(shot).slice(0, 500)}`)),
      );
      // Without a length, which node:http gives these methods alone, a body would be another, broken request.
      request.end(/^(POST|PUT|PATCH)$/.test(shot.method) ? shot.body : undefined);
    });
  }

  it(
    'answers as it is described, never with 500, tells nothing, and does not grow',
    { timeout: MOST_MS + 30_000 },
    async () => {
      const described = (await (await fetch(`${gateway.ready.http}/openapi.json`)).json()) as Description;
      const judge = new Judge(described);
      const traffic = new Traffic(described, await tokens(), seededRandom(20_261_122));
      const counts = new Map<number, number>();
      const complaints = new Map<string, string>();
      const sizes: number[] = [];
      const end = performance.now() + MOST_MS;
      let sent = 0;
      const lane = async () => {
        while (sent < REQUESTS && performance.now() < end && complaints.size < 5) {
          if (++sent % Math.ceil(REQUESTS / 10) === 0) sizes.push(await gateway.residentMiB());
          const shot = traffic.next();
          const answer = await send(shot);
          counts.set(answer?.status ?? 0, (counts.get(answer?.status ?? 0) ?? 0) + 1);
          const complaint = answer && judge.complaintOf(shot, answer);
          if (complaint) complaints.set(complaint, `${JSON.stringify(shot)} ${JSON.stringify(answer)}`.slice(0, 1_500));
        }
      };
      const startedAt = performance.now();
      await Promise.all(Array.from({ length: LANES }, lane));
      const seconds = (performance.now() - startedAt) / 1_000;
      const all = [...counts].toSorted(([a], [b]) => a - b).map(([status, count]) => `${status || 'closed'}: ${count}`);
      console.log(
        `${sent} requests in ${seconds.toFixed(0)} s: ${all.join(', ')}; MiB: ${sizes.map(Math.round).join(' ')}`,
      );
      expect(Object.fromEntries(complaints)).toEqual({});
      // All of what the description promises was seen, and not just refusals.
      for (const status of [200, 201, 304, 400, 401, 403, 404, 409, 413, 415, 429])
        expect(counts.get(status) ?? 0).toBeGreaterThan(0);
      expect(sent).toBeGreaterThanOrEqual(Math.min(REQUESTS, 5_000));
      // The first third fills caches and heap.
      const settled = sizes.slice(Math.floor(sizes.length / 3));
      expect(Math.max(...settled) - settled[0]!).toBeLessThan(40);
      expect(gateway.printed).not.toContain(secret);
      expect(gateway.printed).not.toMatch(/ERROR|"level":"error"/);
    },
  );

  it('answers what is not HTTP with a refusal, and closes', async () => {
    for (const raw of rawShots) {
      const answer = await exchange(raw);
      expect(answer, raw.slice(0, 60)).toMatch(/^(HTTP\/1\.1 (4\d\d|505) |$)/);
      expect(answer).not.toMatch(LEAK);
    }
    expect((await fetch(`${gateway.ready.http}/openapi.json`)).status).toBe(200);
  });

  it('waits for no slow client, and serves the others meanwhile', async () => {
    const startedAt = performance.now();
    const slow = exchange('GET /v1/users HTTP/1.1\r\nhost: a\r\n', false);
    expect((await fetch(`${gateway.ready.http}/openapi.json`)).status).toBe(200);
    expect(await slow).toMatch(/^HTTP\/1\.1 408 /);
    const seconds = (performance.now() - startedAt) / 1_000;
    console.log(`a client without an end to its headers was sent away after ${seconds.toFixed(1)} s`);
    expect(seconds).toBeLessThan(15);
  });

  /** Writes `raw` on a connection of its own, and gives back all that came until it was closed. */
  async function exchange(raw: string, end = true): Promise<string> {
    const { hostname, port } = new URL(gateway.ready.http!);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined);
    socket.setTimeout(20_000, () => socket.destroy());
    const closed = once(socket, 'close');
    if (end) socket.end(raw, 'latin1');
    else socket.write(raw);
    await closed;
    return text;
  }
});

function unpacked(bytes: Buffer, encoding: string | undefined): string {
  if (bytes.length === 0 || encoding === undefined) return bytes.toString();
  return (encoding === 'br' ? brotliDecompressSync(bytes) : gunzipSync(bytes)).toString();
}

type Responses = Readonly<Record<string, { content?: Readonly<Record<string, { schema: object }>> }>>;

/** Says what is wrong with an answer, by the description. */
class Judge {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #responses = new Map<string, Responses>();
  readonly #validators = new Map<object, ValidateFunction>();

  constructor(description: Description) {
    this.#ajv.addSchema({ ...description, $id: 'openapi' });
    for (const [route, item] of Object.entries(description.paths)) {
      for (const [method, { responses }] of Object.entries(item) as [string, { responses: Responses }][]) {
        this.#responses.set(`${method.toUpperCase()} ${route}`, responses);
      }
    }
  }

  complaintOf({ method, route, headers }: Shot, answer: Answer): string | undefined {
    const { status, body } = answer;
    if (status >= 500 && !(status === 504 && headers['x-request-timeout'])) return `the status is ${status}`;
    // node:http's own answer to an Expect that it does not know.
    if (status === 417) return undefined;
    if (LEAK.test(body)) return 'the answer tells too much';
    const type = (answer.headers['content-type'] as string | undefined)?.split(';')[0];
    if (status >= 400 && type !== 'application/problem+json') return `the failure is no problem but ${type}`;
    if (status >= 400 && method !== 'HEAD' && (JSON.parse(body) as { status: number }).status !== status)
      return 'its status is another';
    if (!answer.headers['x-request-id'] && status !== 400 && status !== 414) return 'it has no id';
    if (route === undefined || status === 304) return undefined;
    const response = this.#responses.get(`${method} ${route}`)!;
    const content = (response[status] ?? response['default'])?.content?.[type ?? ''];
    if (!content) return `${status} with ${type} is not described`;
    if (type === 'text/event-stream') return undefined;
    const validate = this.#validatorOf(content.schema);
    return validate(JSON.parse(body)) ? undefined : this.#ajv.errorsText(validate.errors);
  }

  #validatorOf(schema: object): ValidateFunction {
    let validate = this.#validators.get(schema);
    if (!validate) {
      const text = JSON.stringify(schema).replaceAll('"#/', '"openapi#/');
      this.#validators.set(schema, (validate = this.#ajv.compile(JSON.parse(text) as object)));
    }
    return validate;
  }
}
