import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { Durations } from './durations.js';

const traceOf = (id: string, flags: string) => ({ traceparent: `00-${id.repeat(32)}-${'1'.repeat(16)}-${flags}` });

function durations(maxSeries?: number) {
  const registry = new Registry();
  (registry as unknown as Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>).setContentType(
    Registry.OPENMETRICS_CONTENT_TYPE,
  );
  const metric = new Durations(registry, {
    name: 'x_seconds',
    help: 'It took.',
    labels: ['method', 'status'],
    bounds: [0.01, 0.1],
    ...(maxSeries !== undefined && { maxSeries }),
  });
  const lines = async () => (await registry.metrics()).split('\n');
  return { metric, lines };
}

describe('Durations', () => {
  it('counts in cumulative buckets, a bound belonging to the one below it', async () => {
    const { metric, lines } = durations();
    const series = metric.series('Get', 'OK');
    for (const ms of [1, 10, 11, 100, 5_000]) series.observe(ms, undefined);
    expect(await lines()).toEqual([
      '# HELP x_seconds It took.',
      '# TYPE x_seconds histogram',
      'x_seconds_bucket{method="Get",status="OK",le="0.01"} 2',
      'x_seconds_bucket{method="Get",status="OK",le="0.1"} 4',
      'x_seconds_bucket{method="Get",status="OK",le="+Inf"} 5',
      'x_seconds_sum{method="Get",status="OK"} 5.122',
      'x_seconds_count{method="Get",status="OK"} 5',
      '# EOF',
      '',
    ]);
  });

  it('shows the latest sampled trace of each bucket', async () => {
    const { metric, lines } = durations();
    const series = metric.series('Get', 'OK');
    series.observe(1, traceOf('a', '01'));
    series.observe(2, traceOf('b', '01'));
    series.observe(3, traceOf('c', '00'));
    series.observe(200, traceOf('d', '03'));
    const shown = (await lines()).map((line) => /le="([^"]+)".*trace_id="(.)/.exec(line)?.slice(1)).filter(Boolean);
    expect(shown).toEqual([
      ['0.01', 'b'],
      ['+Inf', 'd'],
    ]);
  });

  it('gives the same series for the same labels, and one for all that would be too many', async () => {
    const { metric, lines } = durations(2);
    expect(metric.series('A', 'OK')).toBe(metric.series('A', 'OK'));
    metric.series('B', 'OK').observe(1, undefined);
    for (let n = 0; n < 100; n++) metric.series(`stranger ${n}`, 'OK').observe(1, undefined);
    const counts = (await lines()).filter((line) => line.startsWith('x_seconds_count'));
    expect(counts).toEqual([
      'x_seconds_count{method="A",status="OK"} 0',
      'x_seconds_count{method="B",status="OK"} 1',
      'x_seconds_count{method="_OTHER",status="_OTHER"} 100',
    ]);
  });
});
