import type { Clock, Random } from '@holdfast/core';
import { StoreAddress } from '@holdfast/core/driver';

/** What every driver may ask its opener for. */
export interface ConfigDriverDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Consul's token where the URL has none: what the environment has as `CONSUL_HTTP_TOKEN`. */
  readonly consulToken?: string | undefined;
  /** etcd's password where the URL has only a user: what the environment has as `ETCD_PASSWORD`. */
  readonly etcdPassword?: string | undefined;
}

/** One store of a `CONFIG_URL`. */
export class ConfigAddress extends StoreAddress {
  constructor(url: string) {
    super('CONFIG_URL', url);
  }
}
