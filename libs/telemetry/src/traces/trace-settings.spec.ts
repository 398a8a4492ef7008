import { describe, expect, it } from 'vitest';
import { readTraces } from './trace-settings.js';

const identity = { name: 'gateway', id: 'gateway-1' };

describe('readTraces', () => {
  it.each([{}, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }])('is nowhere with %j', (settings) => {
    expect(readTraces(identity, settings)).toBeUndefined();
  });

  it.each(['http://127.0.0.1:4318', 'http://127.0.0.1:4318/'])('posts below %s', (endpoint) => {
    const options = readTraces({ ...identity, version: '7' }, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    expect(options).toEqual({
      url: 'http://127.0.0.1:4318/v1/traces',
      headers: {},
      ratio: 1,
      resource: { 'service.name': 'gateway', 'service.instance.id': 'gateway-1', 'service.version': '7' },
    });
  });

  it('reads headers as OpenTelemetry writes them', () => {
    const settings = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20YTpi==, x-tenant = me ,',
    };
    expect(readTraces(identity, settings)?.headers).toEqual({ authorization: 'Basic YTpi==', 'x-tenant': 'me' });
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '127.0.0.1:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://x:4317' }, 'http://127.0.0.1:4318'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_EXPORTER_OTLP_HEADERS: 'hunter2' }, 'key=value'],
  ])('refuses %j with a sentence that keeps secrets', (settings, hint) => {
    expect(() => readTraces(identity, settings)).toThrow(hint);
    expect(() => readTraces(identity, settings)).not.toThrow('hunter2');
  });
});
