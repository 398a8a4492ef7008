import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type * as grpc from '@grpc/grpc-js';
import { StartupError } from '@holdfast/core';

/**
 * Adds gRPC's reflection service for `services`, answered from a FileDescriptorSet.
 * @param source the set itself, or the path or module name of its file
 * @throws StartupError where the file cannot be read as one
 */
export async function addReflection(
  server: grpc.Server,
  source: Uint8Array | string,
  services: readonly string[],
): Promise<void> {
  // Loaded only where it is asked for: both bring protobufjs and its descriptors with them.
  const [{ loadFileDescriptorSetFromBuffer }, { ReflectionService }] = await Promise.all([
    import('@grpc/proto-loader'),
    import('@grpc/reflection'),
  ]);
  try {
    const bytes = typeof source === 'string' ? await readFile(resolve(source)) : Buffer.from(source);
    const definition = loadFileDescriptorSetFromBuffer(bytes);
    new ReflectionService(definition, { services: [...services] }).addToServer(server);
  } catch (cause) {
    const where = typeof source === 'string' ? source : 'the given bytes';
    throw new StartupError(`Reflection cannot read the protobuf descriptors from ${where}: ${String(cause)}`, {
      cause,
    });
  }
}

/** Paths are taken as they are; anything else is looked up as a module's file, as an import would be. */
function resolve(source: string): string {
  if (source.startsWith('/') || source.startsWith('.')) return source;
  return createRequire(import.meta.url).resolve(source);
}
