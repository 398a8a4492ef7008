import { Controller, Get, Inject, Module, Query } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { CallContext, Code, ServiceError, sleep, systemClock } from '@holdfast/core';
import {
  RelayServiceDefinition,
  type RelayRequest,
  type RelayResponse,
} from '@holdfast/proto/holdfast/testing/v1/relay';
import { Resilience } from '@holdfast/resilience';
import { RpcTargets } from '@holdfast/rpc';
import { InjectSelf, runService, type Self } from '@holdfast/service';

const retrying = { idempotent: true, retry: { attempts: 3, initialDelay: 5, maxDelay: 10 } } as const;

/**
 * A service that passes calls on to others of its kind, by gRPC and with an HTTP edge, for tests of what travels over
 * hops. It repeats calls that fail. It prints `stopped <epoch ms>` when its work is told to stop. `SERVICE_NAME` is its
 * name; with `FAILS` set, all its calls fail.
 */
@Controller()
class RelayController {
  #received = 0;

  constructor(
    @InjectSelf() private readonly self: Self,
    @Inject(RpcTargets) private readonly targets: RpcTargets,
    @Inject(Resilience) private readonly resilience: Resilience,
  ) {}

  /** How many calls came in by gRPC. */
  @Get('received')
  received(): number {
    return this.#received;
  }

  @Get('relay')
  fromHttp(@Query('through') through = '', @Query('work') work = '0'): Promise<RelayResponse> {
    return this.relay({ through: through.split(',').filter((name) => name !== ''), workMs: Number(work) });
  }

  @GrpcMethod('RelayService', 'Relay')
  async fromGrpc(request: RelayRequest): Promise<RelayResponse> {
    this.#received++;
    if (process.env['FAILS']) throw new ServiceError(Code.UNAVAILABLE, 'It always fails.');
    return this.relay(request);
  }

  private async relay({ through, workMs }: RelayRequest): Promise<RelayResponse> {
    const context = CallContext.current() ?? new CallContext();
    const remaining = context.remaining(systemClock);
    const sighting = {
      service: this.self.name,
      remainingMs: remaining === Infinity ? -1 : remaining,
      requestId: context.requestId ?? '',
      traceparent: context.trace?.traceparent ?? '',
    };
    await sleep(systemClock, workMs, context.signal).catch((reason: unknown) => {
      console.log(`stopped ${Date.now()}`);
      throw reason;
    });
    const [next, ...rest] = through;
    if (next === undefined) return { sightings: [sighting] };
    const client = this.targets.client(RelayServiceDefinition, { target: next, timeoutMs: 60_000 });
    const { sightings } = await this.resilience.run(next, () => client.relay({ through: rest, workMs }), retrying);
    return { sightings: [sighting, ...sightings] };
  }
}

@Module({ controllers: [RelayController] })
class RelayModule {}

await runService(RelayModule, {
  name: process.env['SERVICE_NAME'] ?? 'relay',
  rpc: [RelayServiceDefinition],
  http: true,
});
