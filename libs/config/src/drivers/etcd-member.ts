import { rootCertificates } from 'node:tls';
import type { CallOptions, Metadata } from '@grpc/grpc-js';
import {
  Etcd3,
  type IAuthenticateResponse,
  type IOptions,
  type ITxnRequest,
  type ITxnResponse,
  type WatchClient,
} from 'etcd3';
import type { EtcdLogin, EtcdSettings } from './etcd-url.js';

/** etcd answered, and refused. Its message is a sentence without secrets. */
export class EtcdRefusal extends Error {}

/** The member gave no answer, or has no quorum: another one may do better. */
export class EtcdUnreachable extends Error {}

export type WatchStream = Awaited<ReturnType<WatchClient['watch']>>;

/** What a stream's end means, as an error with a sentence. */
export type Explain = (error: unknown) => EtcdRefusal | EtcdUnreachable;

/** The longest that one member may take for one call, in milliseconds: a healthy one takes a few. */
export const CALL_MS = 2_000;

/** What the package calls a policy; one that only calls. It has to be asynchronous: the package cannot stand a throw. */
const once = { execute: async <T>(work: () => T | PromiseLike<T>): Promise<T> => await work() };

type Answered<T> = (error: Error | null, answer: T) => void;

/** What the package makes of etcd's `.proto` files: a method for each of a service's. */
interface Service {
  readonly watch: (metadata: Metadata, options: CallOptions) => WatchStream;
  readonly txn: (request: ITxnRequest, metadata: Metadata, options: CallOptions, done: Answered<ITxnResponse>) => void;
  readonly authenticate: (
    request: EtcdLogin,
    metadata: Metadata,
    options: CallOptions,
    done: Answered<IAuthenticateResponse>,
  ) => void;
}

/** The package's client, without what it does around a call. */
class Client extends Etcd3 {
  /** @param headers go with the call, as far as they have a value */
  call<T>(
    service: 'KV' | 'Auth' | 'Watch',
    headers: Readonly<Record<string, string | undefined>>,
    make: (service: Service, metadata: Metadata, answered: Answered<T>) => void,
  ): Promise<T> {
    return this.pool.withConnection(service, ({ client, metadata }) => {
      for (const [name, value] of Object.entries(headers)) if (value !== undefined) metadata.set(name, value);
      return new Promise<T>((resolve, reject) => {
        make(client as unknown as Service, metadata, (error, answer) => (error ? reject(error) : resolve(answer)));
      });
    });
  }
}

interface Session {
  readonly client: Client;
  /** Undefined where nobody logs in. */
  readonly token: Promise<string | undefined>;
}

let sessions = 0;

/**
 * One member of an etcd cluster. Of the `etcd3` package this uses the connection and the encoding. What is above them in it is
 * gone around: it resumes a broken watch from a revision that it may not have seen yet, gives a new watch another one's
 * place after a refusal, sends a call whose token is refused again as fast as it can, picks members by chance, and
 * never closes a connection on which it has logged in.
 *
 * After every failure the next call is by a new client, with a connection and a token of its own: nothing that the
 * last one knew (a back-off, a half-dead connection, a token that was taken back) delays it.
 */
export class EtcdMember {
  /** `host:port`. */
  readonly address: string;
  readonly #settings: EtcdSettings;
  #session: Session | undefined;

  constructor(address: string, settings: EtcdSettings) {
    this.address = address;
    this.#settings = settings;
  }

  /** @param withinMs the longest it may take, in milliseconds */
  txn(request: ITxnRequest, withinMs = CALL_MS): Promise<ITxnResponse> {
    return this.#call(({ client }, token) =>
      client.call<ITxnResponse>('KV', { token }, (kv, metadata, answered) =>
        kv.txn(request, metadata, { deadline: Date.now() + withinMs }, answered),
      ),
    );
  }

  /** A stream, which may fail before it says anything. Whatever it fails with must be given to `explain`. */
  watch(): Promise<{ readonly stream: WatchStream; readonly explain: Explain }> {
    return this.#call(async ({ client }, token, explain) => {
      // A member that is cut off from the others ends the watch then, where it would stay silent.
      const headers = { token, hasleader: 'true' };
      const stream = await client.call<WatchStream>('Watch', headers, (service, metadata, answered) =>
        answered(null, service.watch(metadata, {})),
      );
      return { stream, explain };
    });
  }

  /** Lets go of the client. The next call gets another. */
  close(): void {
    this.#session?.client.close();
    this.#session = undefined;
  }

  async #call<T>(ask: (session: Session, token: string | undefined, explain: Explain) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const session = (this.#session ??= this.#open());
      const explain: Explain = (error) => {
        const problem = sentenceOf(this.address, error);
        if ((problem instanceof EtcdUnreachable || isStale(error)) && this.#session === session) this.close();
        return problem;
      };
      try {
        return await ask(session, await session.token, explain);
      } catch (error) {
        const problem = explain(error);
        if (attempt > 1 || !isStale(error)) throw problem;
      }
    }
  }

  #open(): Session {
    const { tls } = this.#settings;
    const options: IOptions = {
      hosts: `${tls ? 'https' : 'http'}://${this.address}`,
      grpcOptions: {
        // A dead connection shows after 9 s of silence. etcd takes pings that come more often than every 5 s for an attack.
        'grpc.keepalive_time_ms': 6_000,
        'grpc.keepalive_timeout_ms': 3_000,
        'grpc.max_receive_message_length': -1,
        'grpc.enable_retries': 0,
        'grpc.enable_channelz': 0,
        'grpc.enable_http_proxy': 0,
        // grpc-js shares connections between clients with the same options, and with them the state they are in.
        'holdfast.session': ++sessions,
      },
      faultHandling: { host: () => once, global: once } as unknown as NonNullable<IOptions['faultHandling']>,
    };
    if (tls) {
      options.credentials = {
        rootCertificate: tls.ca ?? Buffer.from(rootCertificates.join('\n')),
        ...(tls.key && tls.cert && { privateKey: tls.key, certChain: tls.cert }),
      };
    }
    const client = new Client(options);
    const token = this.#login(client);
    token.catch(() => {});
    return { client, token };
  }

  async #login(client: Client): Promise<string | undefined> {
    const login = this.#settings.login;
    if (!login) return undefined;
    const options = { deadline: Date.now() + CALL_MS };
    try {
      const { token } = await client.call<IAuthenticateResponse>('Auth', {}, (auth, metadata, answered) =>
        auth.authenticate(login, metadata, options, answered),
      );
      return token;
    } catch (error) {
      if (/authentication is not enabled/.test(String(error))) return undefined;
      throw error;
    }
  }
}

/** It stayed silent. */
export const noAnswer = (address: string): EtcdUnreachable =>
  new EtcdUnreachable(`etcd at ${address} gave no answer in time.`);

/**
 * Whether etcd never looked at the call, and would at the next. A token ends with its time, with etcd's restart, or when
 * rights change; a client, with the failure of another call.
 */
function isStale(error: unknown): boolean {
  return /invalid auth token|auth store is old|user name is empty|already closed|closed before call started/.test(
    String(error),
  );
}

/** The client's own errors have the call's path in their stack and are of many classes; of them only the reason goes on. */
function sentenceOf(address: string, error: unknown): EtcdRefusal | EtcdUnreachable {
  if (error instanceof EtcdRefusal || error instanceof EtcdUnreachable) return error;
  const text = error instanceof Error ? error.message : String(error);
  const [, code = '', rest = text] = /(?:^|: )(\d{1,2}) [A-Z_]+: (.*)$/s.exec(text) ?? [];
  const reason = (/etcdserver: (.*)/s.exec(rest)?.[1] ?? rest)
    .split('\n')[0]
    ?.slice(0, 200)
    .replace(/\.\s*$/, '');
  if (code === '4') return noAnswer(address);
  if (code === '14' && !rest.includes('etcdserver: ')) {
    const why = /\b(?:E[A-Z]{4,}|[A-Z]+(?:_[A-Z]+)+)\b/.exec(rest)?.[0] ?? /certificate[^.:]*/.exec(rest)?.[0];
    return new EtcdUnreachable(`etcd at ${address} cannot be reached (${why ?? 'the connection broke'}).`);
  }
  const inTrouble =
    code === '14' || /no leader|timed out|deadline exceeded|leader changed|stopped|unhealthy/.test(text);
  const Problem = inTrouble ? EtcdUnreachable : EtcdRefusal;
  return new Problem(`etcd at ${address} answered: ${reason || 'no reason given'}.`);
}
