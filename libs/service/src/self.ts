import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { Inject } from '@nestjs/common';
import type { ServiceSettings } from './service-settings.js';

/** The process as a member of the mesh. */
export interface Self {
  /** `user-service`: what callers ask for. */
  readonly name: string;
  /** Unique, and new with every start. */
  readonly id: string;
  readonly zone: string | undefined;
  /** Address that callers use. */
  readonly host: string;
}

export const SELF = Symbol('self');

/** Injects {@link Self}. */
export const InjectSelf = () => Inject(SELF);

export function selfOf(name: string, settings: ServiceSettings): Self {
  return {
    name,
    id: `${name}-${randomBytes(4).toString('hex')}`,
    zone: settings.ZONE,
    host: settings.ADVERTISE_HOST ?? advertised(settings.HOST),
  };
}

function advertised(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const outward = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find((address) => !address.internal && address.family === 'IPv4');
  return outward?.address ?? '127.0.0.1';
}
