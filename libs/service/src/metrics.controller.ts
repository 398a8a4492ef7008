import { Controller, Get, Inject, Res } from '@nestjs/common';
import { Telemetry } from '@holdfast/telemetry';
import type { FastifyReply } from 'fastify';

@Controller('metrics')
export class MetricsController {
  constructor(@Inject(Telemetry) private readonly telemetry: Telemetry) {}

  /** Every metric of the process, as OpenMetrics text. */
  @Get()
  async metrics(@Res() reply: FastifyReply): Promise<void> {
    const { metrics } = this.telemetry;
    const text = await metrics.metrics();
    await reply.header('content-type', metrics.contentType).send(text);
  }
}
