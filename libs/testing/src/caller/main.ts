import { Controller, Get, Injectable, Module, Query } from '@nestjs/common';
import { systemClock } from '@holdfast/core';
import { RelayServiceDefinition } from '@holdfast/proto/holdfast/testing/v1/relay';
import { Resilient } from '@holdfast/resilience';
import { InjectRpc, RpcModule, type RpcClient } from '@holdfast/rpc';
import { runService } from '@holdfast/service';

const target = process.env['TARGET'] ?? 'backend';

/** Calls the target as a well-made client does: idempotent calls with an attempt timeout and retries. */
@Injectable()
class Backend {
  constructor(@InjectRpc(RelayServiceDefinition) private readonly rpc: RpcClient<RelayServiceDefinition>) {}

  @Resilient('backend.call', {
    idempotent: true,
    timeout: '3s',
    attemptTimeout: '500ms',
    retry: { attempts: 3, initialDelay: 10, maxDelay: 50 },
  })
  async call(workMs: number): Promise<string> {
    const { sightings } = await this.rpc.relay({ through: [], workMs });
    return sightings[0]!.service;
  }
}

/** When a call began, in milliseconds since the epoch, how long it took, the instance that answered, or the error. */
type Outcome = readonly [startedAt: number, ms: number, servedBy: string | null, error: string | null];

/**
 * A service that calls another at a fixed rate, whatever comes back, from the moment its HTTP edge is told to: an open
 * loop, as the world outside is. `TARGET` is whom it calls.
 */
@Controller()
class CallerController {
  readonly #outcomes: Outcome[] = [];
  #generation = 0;
  #underWay = 0;

  constructor(private readonly backend: Backend) {}

  /** Calls so many times a second from now on, for work of so many milliseconds each; a rate of 0 ends it. */
  @Get('load')
  load(@Query('rate') rate = '100', @Query('workMs') workMs = '20') {
    void this.#run(Number(rate), Number(workMs), ++this.#generation);
    return { rate };
  }

  /** What came of the calls from the given one on, in the order of their ends. */
  @Get('outcomes')
  outcomes(@Query('from') from = '0') {
    return { underWay: this.#underWay, outcomes: this.#outcomes.slice(Number(from)) };
  }

  async #run(rate: number, workMs: number, generation: number): Promise<void> {
    if (rate <= 0) return;
    const startedAt = systemClock.now();
    for (let sent = 0; generation === this.#generation; sent++) {
      const dueAt = startedAt + (sent * 1_000) / rate;
      while (systemClock.now() < dueAt) await new Promise((resolve) => setTimeout(resolve, dueAt - systemClock.now()));
      void this.#call(workMs);
    }
  }

  async #call(workMs: number): Promise<void> {
    const [epoch, startedAt] = [Date.now(), performance.now()];
    const end = (servedBy: string | null, error: string | null) => {
      this.#underWay--;
      this.#outcomes.push([epoch, performance.now() - startedAt, servedBy, error]);
    };
    this.#underWay++;
    await this.backend.call(workMs).then(
      (servedBy) => end(servedBy, null),
      (error: unknown) => end(null, String(error)),
    );
  }
}

@Module({
  imports: [RpcModule.client(RelayServiceDefinition, { target })],
  controllers: [CallerController],
  providers: [Backend],
})
class CallerModule {}

await runService(CallerModule, { name: 'caller', http: true });
