import { StartupError } from '@holdfast/core';

/** Why a server cannot have its address, and what to do about it. */
export function cannotListen(host: string, port: number, cause: Error): StartupError {
  const code = 'code' in cause ? cause.code : undefined;
  const sentence =
    code === 'EADDRINUSE'
      ? `GRPC_PORT ${port} on ${host} is already in use; choose another or 0 for any free port.`
      : code === 'EACCES'
        ? `GRPC_PORT ${port} on ${host} needs rights that this process does not have; choose one above 1023.`
        : `The gRPC server cannot listen on ${host} port ${port}: ${cause.message}`;
  return new StartupError(sentence, { cause });
}
