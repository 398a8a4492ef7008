import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common';
import { configKey, InjectConfig, LiveConfigModule } from '@holdfast/config';
import { Code, ServiceError, type Live } from '@holdfast/core';
import { Resilience, Resilient } from '@holdfast/resilience';
import { runService } from '@holdfast/service';
import { z } from 'zod';

/** Numbers that a writer always changes together. */
const marks = configKey('marks', z.strictObject({ first: z.int().default(0), second: z.int().default(0) }));
/** Another key of the same document, which a writer sets to the same number. */
const echo = configKey('echo', z.int().default(0));

type Marks = z.infer<typeof marks.schema>;

/**
 * A service that tells what its settings are, for tests of how changes arrive: with every change of `marks` it prints
 * `saw <first> <second> <echo> <epoch ms>`.
 */
@Injectable()
class Witness {
  constructor(@InjectConfig(marks) seen: Live<Marks>, @InjectConfig(echo) beside: Live<number>) {
    seen.subscribe(({ first, second }) => console.log(`saw ${first} ${second} ${beside.value} ${Date.now()}`));
  }
}

/** Work with counters that a change of the numbers must not reset. */
@Injectable()
class Worker {
  @Resilient('work', {
    rateLimit: { rate: 0.001, burst: 1_000 },
    breaker: { volumeThreshold: 20, errorThresholdPercentage: 50, windowMs: 60_000 },
  })
  async work(): Promise<void> {
    throw new ServiceError(Code.UNAVAILABLE, 'It always fails.');
  }
}

@Controller('work')
class WorkController {
  constructor(
    @Inject(Worker) private readonly worker: Worker,
    @Inject(Resilience) private readonly resilience: Resilience,
  ) {}

  /** Does the work once; answers with how it ended, and what the policies have counted. */
  @Get()
  async once(): Promise<object> {
    const error: unknown = await this.worker.work().catch((reason: unknown) => reason);
    return { error: (error as Error).name, ...this.resilience.states()['work'] };
  }
}

@Module({
  imports: [LiveConfigModule.forFeature(marks, echo)],
  controllers: [WorkController],
  providers: [Witness, Worker],
})
class FollowerModule {}

await runService(FollowerModule, { name: 'follower', http: true });
