import type { Clock, Random } from '@holdfast/core';
import { StoreAddress } from '@holdfast/core/driver';

/** What every driver may ask its opener for. */
export interface RegistryDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Consul's token where the URL has none: what the environment has as `CONSUL_HTTP_TOKEN`. */
  readonly consulToken?: string | undefined;
  /** What else the registry shall say of the instances that are registered here, to proxies that read it. Consul has such tags. @default none */
  readonly tags?: readonly string[];
}

/** What a service may be called: it becomes part of file names, DNS names and URLs. */
export const SERVICE_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Where a URL that speaks of all services has the name of one. */
export const SERVICE_PLACE = '{service}';

/** A `REGISTRY_URL`. */
export class RegistryAddress extends StoreAddress {
  constructor(url: string) {
    super('REGISTRY_URL', url);
  }
}
