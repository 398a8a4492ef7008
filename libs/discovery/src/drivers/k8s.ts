import { systemClock, type Clock, type Random } from '@holdfast/core';
import type { Answer, RegistryDriver } from '../driver.js';
import { ApiRefusal, KubernetesApi, type ApiSettings } from './k8s-api.js';
import { SliceFeed } from './k8s-feed.js';
import { ReadOnlyDriver } from './read-only.js';
import type { RegistryAddress, RegistryDeps } from './registry-address.js';

/** The API server answers within milliseconds; while it fails over, within seconds. */
const CALL_MS = 5_000;
/** Under these names every pod finds its API server and its account. */
const SERVER = 'https://kubernetes.default.svc';
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface KubernetesOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: Random;
  /** @default 60_000 */
  readonly maxWaitMs?: number;
}

/**
 * The EndpointSlices of Services, which Kubernetes keeps by itself: a pod is in them from the time its readiness probe
 * succeeds until it is deleted.
 */
export class KubernetesDriver extends ReadOnlyDriver {
  // The slices change within milliseconds, but by another process, which may be busy.
  readonly propagationMs = 2_000;
  readonly maxWaitMs: number;
  readonly #api: KubernetesApi;
  readonly #random: Random;
  readonly #feeds = new Map<string, SliceFeed>();

  constructor(settings: ApiSettings, options: KubernetesOptions = {}) {
    super(`kubernetes at ${new URL(settings.server).host}`, options.clock ?? systemClock);
    this.maxWaitMs = options.maxWaitMs ?? 60_000;
    this.#api = new KubernetesApi(settings);
    this.#random = options.random ?? Math.random;
  }

  read(service: string, after: string | undefined, signal: AbortSignal): Promise<Answer> {
    const withinMs = (after === undefined ? 0 : this.maxWaitMs) + CALL_MS;
    return this.verbs.run({ signal, withinMs }, async (ended) => {
      const feed = this.#feeds.get(service);
      if (after === undefined || !feed) return this.#list(service, ended);
      try {
        return await feed.next(after, this.maxWaitMs, ended);
      } catch (error) {
        if (!(error instanceof ApiRefusal && error.isGone)) throw error;
        // What the server no longer remembers is as a cursor that means nothing: all of it is asked for.
        return this.#list(service, ended);
      }
    });
  }

  override async close(): Promise<void> {
    await super.close();
    for (const feed of this.#feeds.values()) feed.close();
    this.#api.close();
  }

  async #list(service: string, signal: AbortSignal): Promise<Answer> {
    const list = await this.#api.list(service, signal);
    const known = this.#feeds.get(service);
    if (known?.agrees(list)) return known.answer;
    known?.close();
    const feed = new SliceFeed(service, list, { api: this.#api, clock: this.clock, random: this.#random });
    this.#feeds.set(service, feed);
    return feed.answer;
  }
}

/**
 * Opens `k8s:` or `k8s://namespace`, by default the pod's own. Its service account must be allowed to list and watch
 * `endpointslices`. A Service is found by its name, and its port by the name `grpc`. Parameters:
 *
 * - `server`: where the API server is. Default: `https://kubernetes.default.svc`
 * - `account`: folder with `token`, `ca.crt` and `namespace`. Default: where Kubernetes mounts it
 *
 * @throws StartupError when the URL cannot be used
 */
export function openKubernetes(address: RegistryAddress, deps: RegistryDeps): Promise<RegistryDriver> {
  const { server = SERVER, account = ACCOUNT } = address.query('server', 'account');
  const parts = /^(?:\/\/([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?)?$/.exec(address.body);
  if (!parts) throw address.wrong('is not readable; write k8s: or k8s://namespace');
  if (!/^https:\/\/[^/?#@]+\/?$/.test(server) || !URL.canParse(server)) {
    throw address.wrong(
      'has a server that is not https://host:port; the account’s token goes there, and never unencrypted',
    );
  }
  return Promise.resolve(new KubernetesDriver({ server, account, namespace: parts[1] }, deps));
}
