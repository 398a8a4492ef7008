import { systemClock, type Clock } from '@holdfast/core';
import { ServerGrpc } from '@nestjs/microservices';
import { HealthService } from './health.js';
import type { RpcServer, RpcServerOptions } from './rpc-server.js';

const defaultDrainMs = 10_000;

/**
 * What Nest sees of a server, whatever carries its calls. It extends Nest's own gRPC strategy only to be taken for one
 * (Nest gives handlers of that class call and metadata as arguments); what is done for each call is the transport's own.
 */
export abstract class NestRpcServer extends ServerGrpc implements RpcServer {
  readonly clock: Clock;
  protected readonly rpc: RpcServerOptions;
  protected readonly health: HealthService;
  /** Whether Nest wants to know when calls begin and end. */
  protected hooked = false;
  #port = 0;
  #drained: Promise<{ aborted: number }> | undefined;

  constructor(options: RpcServerOptions) {
    super({ package: [] });
    this.rpc = options;
    this.clock = options.clock ?? systemClock;
    this.health = new HealthService(options.services.map(({ fullName }) => fullName));
  }

  get port(): number {
    return this.#port;
  }

  /** Whether it takes no more calls. */
  protected get leaving(): boolean {
    return this.#drained !== undefined;
  }

  /** Finds the handlers, and listens. Gives the port. */
  protected abstract open(): Promise<number>;

  /** As {@link RpcServer.drain}; called once. */
  protected abstract drainWithin(boundMs: number): Promise<{ aborted: number }>;

  override async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      this.#port = await this.open();
    } catch (error) {
      return callback(error);
    }
    callback();
  }

  setServing(serving: boolean): void {
    if (!this.leaving) this.health.setServing(serving);
  }

  drain(boundMs: number): Promise<{ aborted: number }> {
    return (this.#drained ??= this.drainWithin(boundMs));
  }

  override async close(): Promise<void> {
    await this.drain(this.rpc.drainMs ?? defaultDrainMs);
  }

  override setOnProcessingStartHook(hook: Parameters<ServerGrpc['setOnProcessingStartHook']>[0]): void {
    this.hooked = true;
    super.setOnProcessingStartHook(hook);
  }

  override setOnProcessingEndHook(hook: Parameters<ServerGrpc['setOnProcessingEndHook']>[0]): void {
    this.hooked = true;
    super.setOnProcessingEndHook(hook);
  }
}
