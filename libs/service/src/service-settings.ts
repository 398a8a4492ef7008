import { z } from 'zod';
import { port, wholeNumber } from './settings.js';

/** Settings that every app has. */
export const serviceSettings = z.object({
  PORT: port().prefault('3000').describe('Port of the HTTP edge, where the app has one; 0 for any free port.'),
  GRPC_PORT: port()
    .prefault('0')
    .describe(
      'Port of the gRPC server, where the app has one; 0 for any free port, since callers learn it from the registry.',
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
  ADVERTISE_HOST: z
    .string()
    .optional()
    .describe(
      'Address that callers use, written to the registry; by default HOST, or this machine’s first address if HOST means all.',
    ),
  ZONE: z.string().max(64).optional().describe('Failure zone this process runs in, such as the data centre.'),
  VERSION: z.string().max(64).optional().describe('Version of the app, shown in the registry.'),
  REGISTRY_URL: z
    .string()
    .default('file:.holdfast/registry')
    .describe('Where instances find each other: file:FOLDER, consul://HOST:PORT, static:NAME=HOST:PORT, memory:.'),
  CONSUL_HTTP_TOKEN: z
    .string()
    .optional()
    .describe('Consul ACL token, where the registry is Consul. A secret: it is never logged.'),
  SNAPSHOT_DIR: z
    .string()
    .default('.holdfast/snapshots')
    .describe('Folder in which the last good view of each service survives a restart.'),
  DRAIN_MS: wholeNumber(0, 600_000)
    .prefault('10000')
    .describe('Longest time from SIGTERM until the last call is cut off, in milliseconds.'),
  LOG_LEVEL: z
    .enum(['debug', 'log', 'warn', 'error'], 'must be debug, log, warn or error')
    .default('log')
    .describe('Least severe kind of line that is logged: debug, log, warn or error.'),
  NODE_ENV: z.string().default('development').describe('With production, gRPC reflection is off.'),
});

export type ServiceSettings = z.infer<typeof serviceSettings>;
