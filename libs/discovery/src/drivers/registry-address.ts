import type { Clock, Random } from '@holdfast/core';
import { StoreAddress } from '@holdfast/core/driver';

/** What every driver may ask its opener for. */
export interface RegistryDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Consul's token where the URL has none: what the environment has as `CONSUL_HTTP_TOKEN`. */
  readonly consulToken?: string | undefined;
}

/** What a service may be called: it becomes part of file names, DNS names and URLs. */
export const SERVICE_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A `REGISTRY_URL`. */
export class RegistryAddress extends StoreAddress {
  constructor(url: string) {
    super('REGISTRY_URL', url);
  }
}
