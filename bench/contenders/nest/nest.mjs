import { fileURLToPath } from 'node:url';
import { Transport } from '@nestjs/microservices';

/** Nest's gRPC options for the template's own user.proto, with nothing changed that Nest does not need. */
export function grpcOptions(url, more = {}) {
  const protoPath = fileURLToPath(new URL('../../../proto/user/v1/user.proto', import.meta.url));
  return { transport: Transport.GRPC, options: { package: 'user.v1', protoPath, url, ...more } };
}

/** Tells the bench that this process serves, and ends it when the bench says so or is gone. */
export function ready(close) {
  const end = () => void close().finally(() => process.exit(0));
  process.once('SIGTERM', end);
  process.once('disconnect', end);
  process.send({ type: 'ready' });
}
