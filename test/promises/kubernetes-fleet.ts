import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, eventually, FakeKubernetesApi } from '@holdfast/testing';
import { main } from './fleet.js';

/** Which the kubelet and the endpoint controller do first, when a pod is deleted, and how far the other is behind in milliseconds. */
export interface DeletionOrder {
  readonly first: 'signal' | 'endpoints';
  readonly behindMs: number;
}

/** An app, and so a Service. */
export type App = 'gateway' | 'user-service';

interface Pod {
  readonly service: App;
  readonly name: string;
  readonly app: AppProcess;
}

/** Processes that take part as pods do: they register with nobody, and the endpoints are written by others. */
export class KubernetesFleet implements AsyncDisposable {
  readonly #pods: Pod[] = [];
  #serial = 0;

  private constructor(
    readonly api: FakeKubernetesApi,
    private readonly folder: string,
    private readonly order: DeletionOrder,
  ) {}

  static async start(order: DeletionOrder, size: Readonly<Record<App, number>>): Promise<KubernetesFleet> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-pods-'));
    const fleet = new KubernetesFleet(await FakeKubernetesApi.start(), folder, order);
    for (const service of ['user-service', 'gateway'] as const) {
      for (let n = 0; n < size[service]; n++) await fleet.add(service);
    }
    return fleet;
  }

  /** The processes of a Service, the oldest first. */
  of(service: App): readonly AppProcess[] {
    return this.#pods.filter((pod) => pod.service === service).map(({ app }) => app);
  }

  /** A pod more: its endpoint is written when its readiness probe succeeds. */
  async add(service: App): Promise<void> {
    const env = {
      REGISTRY_URL: this.api.url,
      SNAPSHOT_DIR: join(this.folder, 'snapshots'),
      DATABASE_URL: `file:${join(this.folder, 'users.db')}`,
    };
    const app = await AppProcess.start(main(service), { cwd: this.folder, env });
    await eventually(async () => (await fetch(`${app.ready.admin}/readyz`)).ok);
    const pod = { service, name: `${service}-${++this.#serial}`, app };
    this.#pods.push(pod);
    this.#write(pod, false);
  }

  /** Deletes the oldest pod of a Service. @returns its exit code, and how long it took to end in milliseconds */
  async remove(service: App): Promise<{ readonly code: number | null; readonly ms: number }> {
    const pod = this.#pods.find((one) => one.service === service)!;
    this.#pods.splice(this.#pods.indexOf(pod), 1);
    const { first, behindMs } = this.order;
    const startedAt = performance.now();
    const signal = () => pod.app.end('SIGTERM');
    const endpoints = () => this.#write(pod, true);
    const ended = first === 'signal' ? signal() : later(behindMs).then(signal);
    if (first === 'endpoints') endpoints();
    else await later(behindMs).then(endpoints);
    const code = await ended;
    this.api.set(service, undefined, pod.name);
    return { code, ms: performance.now() - startedAt };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pods.map(({ app }) => app[Symbol.asyncDispose]()));
    await this.api[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #write({ service, name, app }: Pod, terminating: boolean): void {
    const portName = service === 'gateway' ? 'http' : 'grpc';
    const [host = '', port] = (app.ready.grpc ?? new URL(app.ready.http!).host).split(':');
    this.api.set(service, [{ pod: name, host, port: Number(port), portName, terminating }], name);
  }
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
