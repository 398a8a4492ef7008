import { edgeSettings } from '@holdfast/edge';
import { compressionChoice, connectionsChoice, transportChoice } from '@holdfast/rpc';
import { z } from 'zod';
import { logLevel } from './log-level.js';
import { port, wholeNumber } from './settings.js';

/** Settings that every app has. */
export const serviceSettings = z.object({
  PORT: port().prefault('3000').describe('Port of the HTTP edge, where the app has one; 0 for any free port.'),
  GRPC_PORT: port()
    .prefault('0')
    .describe(
      'Port of the gRPC server, where the app has one; 0 for any free port, since callers learn it from the registry.',
    ),
  RPC_TRANSPORT: z
    .string()
    .trim()
    .regex(transportChoice, 'must be h2 or grpc-js, and after it NAME=grpc-js or NAME=h2 for each target that differs')
    .default('h2')
    .describe(
      'What carries calls between services, on both sides: h2, our own HTTP/2, or grpc-js, the reference, which takes several times the CPU. Both are gRPC on the wire and fleets may mix them; h2 NAME=grpc-js makes an exception for calls to one service.',
    ),
  RPC_COMPRESSION: z
    .string()
    .trim()
    .regex(compressionChoice, 'must be none or gzip, and after it NAME=none or NAME=gzip for each target that differs')
    .default('none')
    .describe(
      'Whether h2 packs messages of 1 KiB and more for peers that read gzip: none, gzip, or none NAME=gzip for calls to one service. It costs CPU, and lengths can betray secrets that stand beside words of strangers.',
    ),
  RPC_CONNECTIONS: z
    .string()
    .trim()
    .regex(connectionsChoice, 'must be 1 to 8, and after it NAME=1 to NAME=8 for each target that differs')
    .default('1')
    .describe(
      'How many connections h2 holds to each instance that it calls, 1 to 8; more than one only help where an address stands for several machines. 1 NAME=4 for calls to one service.',
    ),
  RPC_KEEPALIVE_MS: wholeNumber(10, 600_000)
    .prefault('2000')
    .describe(
      'A connection to a called instance that is silent for so long is asked for a sign of life, and given up without one after as long again, in milliseconds.',
    ),
  RPC_SERVER_KEEPALIVE_MS: wholeNumber(10, 600_000)
    .prefault('10000')
    .describe('The same for the connections of callers, which are given up after half as long again, in milliseconds.'),
  RPC_MAX_CONNECTION_AGE_MS: wholeNumber(0, 999_999_999)
    .prefault('0')
    .describe(
      'Callers whose connection is older are asked to come anew, which spreads callers that do not balance; no call is lost. In milliseconds, give or take a tenth; 0 for never.',
    ),
  ADMIN_PORT: port().prefault('0').describe('Port of health and state; 0 for any free port.'),
  HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address to listen on: loopback, unless told otherwise; 0.0.0.0 in a container.'),
  ADMIN_HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address the admin port listens on; widen it only where the network keeps strangers out, as in a pod.'),
  ADMIN_TOKEN: z
    .string()
    .min(16, 'must have 16 characters or more')
    .max(1_024)
    .optional()
    .describe(
      'What operators enter on the live page to act from it; without it, the page only shows. A secret: it is never logged.',
    ),
  ADVERTISE_HOST: z
    .string()
    .optional()
    .describe(
      'Address that callers use, written to the registry; by default HOST, or this machine’s first address if HOST means all.',
    ),
  ZONE: z.string().max(64).optional().describe('Failure zone this process runs in, such as the data centre.'),
  WEIGHT: wholeNumber(1, 100)
    .prefault('1')
    .describe('Share of the load relative to the siblings, 1 to 100, for callers that balance by weight.'),
  VERSION: z.string().max(64).optional().describe('Version of the app, shown in the registry.'),
  REGISTRY_URL: z
    .string()
    .default('file:.holdfast/registry')
    .describe(
      'Where instances find each other: file:FOLDER, consul://HOST:PORT, k8s:, dns://{service}.DOMAIN:PORT, static:NAME=HOST:PORT, memory:.',
    ),
  REGISTRY_TAGS: z
    .string()
    .default('')
    .transform((text) => text.split(/[;\n]/).flatMap((tag) => tag.trim() || []))
    .pipe(z.array(z.string().max(512)).max(64, 'must have 64 tags at most'))
    .describe(
      'Tags of the instance in Consul, for proxies that read them, such as Traefik; with line breaks or semicolons between.',
    ),
  CONFIG_URL: z
    .string()
    .default('file:config/holdfast.yaml')
    .describe(
      'Where settings that change while the app serves come from: file:PATH, etcd://HOST:PORT/PREFIX, consul://HOST:PORT/PREFIX, memory:; several with spaces between, a later one wins.',
    ),
  CONSUL_HTTP_TOKEN: z
    .string()
    .optional()
    .describe('Consul ACL token, where registry or settings are in Consul. A secret: it is never logged.'),
  ETCD_PASSWORD: z
    .string()
    .optional()
    .describe('Password of the user that an etcd CONFIG_URL names. A secret: it is never logged.'),
  SNAPSHOT_DIR: z
    .string()
    .default('.holdfast/snapshots')
    .describe('Folder in which the last good view of each service, and of the settings, survives a restart.'),
  DRAIN_MS: wholeNumber(0, 600_000)
    .prefault('10000')
    .describe('Longest time from SIGTERM until the last call is cut off, in milliseconds.'),
  LOG_LEVEL: logLevel
    .default('log')
    .describe(`${logLevel.description} log.level in the configuration store overrules it.`),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .string()
    .optional()
    .describe(
      'Base URL of a collector for traces, over OTLP/HTTP, such as http://127.0.0.1:4318; without it nothing is traced.',
    ),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .optional()
    .describe('Headers for that collector: key=value pairs with commas between them. A secret: it is never logged.'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number('must be a number from 0 to 1')
    .min(0, 'must be a number from 0 to 1')
    .max(1, 'must be a number from 0 to 1')
    .prefault('1')
    .describe(
      'Share of the traces begun here that is kept, 0 to 1; what a caller has begun is kept if the caller keeps it.',
    ),
  ...edgeSettings.shape,
  NODE_ENV: z.string().default('development').describe('With production, gRPC reflection is off.'),
});

export type ServiceSettings = z.infer<typeof serviceSettings>;
