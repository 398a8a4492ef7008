import { VersioningType, VERSION_NEUTRAL, type VersioningOptions } from '@nestjs/common';

/** The version that a controller has which names none, and that the paths without a version lead to. */
export const LATEST_VERSION = '1';

/** `/v1/users` and `/users` are the same; `@Version('2')` adds `/v2/users`. */
export const versioning: VersioningOptions = {
  type: VersioningType.URI,
  defaultVersion: [LATEST_VERSION, VERSION_NEUTRAL],
};
