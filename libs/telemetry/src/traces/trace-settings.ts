import { StartupError } from '@holdfast/core';
import type { Identity } from '../identity.js';
import type { TracesOptions } from './traces-options.js';

/** The environment variables that say where traces go, under the names that OpenTelemetry gives them. */
export interface TraceSettings {
  /** Base URL of a collector that takes OTLP over HTTP; traces are posted to `/v1/traces` below it. @default none: no traces */
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  /** `key=value` pairs with commas between them, percent-encoded: headers for the collector. A secret. */
  readonly OTEL_EXPORTER_OTLP_HEADERS?: string | undefined;
  /** Share of the traces begun here that is kept, 0 to 1. @default 1 */
  readonly OTEL_TRACES_SAMPLER_ARG?: number | undefined;
}

/** Where traces go; undefined where nowhere. @throws StartupError where the settings cannot be used */
export function readTraces(identity: Identity, settings: TraceSettings): TracesOptions | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: ratio = 1 } = settings;
  if (endpoint === undefined || endpoint === '') return undefined;
  const { name, id, version } = identity;
  return {
    url: urlOf(endpoint),
    headers: headersOf(settings.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
    ratio,
    resource: {
      'service.name': name,
      'service.instance.id': id,
      ...(version !== undefined && { 'service.version': version }),
    },
  };
}

function urlOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new StartupError(
      'OTEL_EXPORTER_OTLP_ENDPOINT is no URL of a collector; write one that speaks OTLP over HTTP, such as http://127.0.0.1:4318.',
    );
  }
  return `${url.href.replace(/\/+$/, '')}/v1/traces`;
}

function headersOf(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      // Not what it says: it is a secret.
      if (at < 1) {
        throw new StartupError(
          'OTEL_EXPORTER_OTLP_HEADERS has a part without "="; write key=value pairs with commas between them.',
        );
      }
      return [pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())];
    }),
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
