import { Controller, Get, Module, Query } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { CallContext, Code, ServiceError, sleep, systemClock } from '@holdfast/core';
import {
  RelayServiceDefinition,
  type RelayRequest,
  type RelayResponse,
} from '@holdfast/proto/holdfast/testing/v1/relay';
import { InjectSelf, runService, type Self } from '@holdfast/service';

/** well: as asked · slow: a multiple of it · failing: an error after 1 ms · hanging: no answer ever */
type Behaviour = 'well' | 'slow' | 'failing' | 'hanging';

/**
 * A service that turns bad without dying, when its HTTP edge is told so, for tests of what real outages are: its port
 * stays open, and its health check says that all is well. `SERVICE_NAME` is its name.
 */
@Controller()
class FaultyController {
  #behaviour: Behaviour = 'well';
  #factor = 10;
  #code: Code = Code.UNAVAILABLE;
  #received = 0;

  constructor(@InjectSelf() private readonly self: Self) {}

  /** From the next call on: `/behave?as=slow&factor=10`, `/behave?as=failing&code=INTERNAL`, `/behave?as=hanging`, `/behave?as=well`. */
  @Get('behave')
  behave(
    @Query('as') as: Behaviour,
    @Query('factor') factor = '10',
    @Query('code') code: keyof typeof Code = 'UNAVAILABLE',
  ) {
    this.#behaviour = as;
    this.#factor = Number(factor);
    this.#code = Code[code];
    return { as };
  }

  /** How many calls came in. */
  @Get('received')
  received(): number {
    return this.#received;
  }

  /** Works for about as long as the request says, ± 50 %; the answer names the instance in place of the service. */
  @GrpcMethod('RelayService', 'Relay')
  async relay({ workMs }: RelayRequest): Promise<RelayResponse> {
    this.#received++;
    const signal = CallContext.current()?.signal;
    if (this.#behaviour === 'failing') {
      await sleep(systemClock, 1, signal);
      throw new ServiceError(this.#code, 'It was told to fail.');
    }
    const factor = { well: 1, slow: this.#factor, hanging: Infinity }[this.#behaviour];
    await work(workMs * (0.5 + Math.random()) * factor, signal);
    return { sightings: [{ service: this.self.id, remainingMs: -1, requestId: '', traceparent: '' }] };
  }
}

/** Nothing, for so many milliseconds or for ever, unless the signal aborts. */
async function work(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms !== Infinity) return sleep(systemClock, ms, signal);
  await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

@Module({ controllers: [FaultyController] })
class FaultyModule {}

await runService(FaultyModule, {
  name: process.env['SERVICE_NAME'] ?? 'faulty',
  rpc: [RelayServiceDefinition],
  http: true,
});
