import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Instance } from '../driver.js';

/** What a lease file holds: the instance, and the process that answers for it. */
export interface Lease {
  readonly instance: Instance;
  readonly pid: number;
  /** Names the set of processes that `pid` means something in. */
  readonly machine: string;
}

/** The suffix of lease files; between it and the service's name stands the encoded id. */
const SUFFIX = '.json';
const TEMPORARY = '.new-';

/**
 * The lease file's name, `users.<id>.json`. Services have no dot in their names, so one service's files never look like
 * another's, and the encoded id has no slash.
 * @throws Error when a name would not stay inside the folder, or is longer than file systems allow
 */
export function leaseFile(instance: Instance): string {
  const file = `${leasePrefix(instance.service)}${encodeURIComponent(instance.id)}${SUFFIX}`;
  if (instance.id === '' || file.length > 200) {
    throw new Error(`The instance id "${instance.id.slice(0, 60)}" is empty or too long for the name of a lease file.`);
  }
  return file;
}

/** What the names of a service's lease files start with. @throws Error when that is not a name a service can have */
export function leasePrefix(service: string): string {
  if (!/^[a-z0-9-]{1,63}$/.test(service)) {
    throw new Error(`"${service}" is not a service's name, which has lower-case letters, digits and dashes only.`);
  }
  return `${service}.`;
}

/** Whether the file is a lease of the service whose prefix is given, judged by its name. */
export function isLeaseFile(file: string, prefix: string): boolean {
  return file.startsWith(prefix) && file.endsWith(SUFFIX);
}

/** A name for a lease that is being written; it gets its own by a rename once it is whole. */
export function temporaryFile(): string {
  return `${TEMPORARY}${randomUUID()}`;
}

export function isTemporary(file: string): boolean {
  return file.startsWith(TEMPORARY);
}

/** The lease that a file's text says; undefined for text that is not one: half-written, or somebody else's. */
export function parseLease(text: string, service: string): Lease | undefined {
  try {
    const lease = JSON.parse(text) as Partial<Lease> | null;
    const instance = lease?.instance;
    const whole =
      typeof lease?.pid === 'number' &&
      typeof lease.machine === 'string' &&
      typeof instance?.id === 'string' &&
      typeof instance.host === 'string' &&
      Number.isInteger(instance.port) &&
      (instance.protocol === 'grpc' || instance.protocol === 'http') &&
      instance.service === service;
    return whole ? (lease as Lease) : undefined;
  } catch {
    return undefined;
  }
}

/** This process's lease on the instance, as text. */
export function leaseText(instance: Instance): string {
  return JSON.stringify({ instance, pid: process.pid, machine: thisMachine() } satisfies Lease);
}

/** A short name for a lease's contents: two leases differ when these do. */
export function leaseDigest(text: string): string {
  return createHash('sha1').update(text).digest('base64url');
}

/** True when the lease's process certainly does not run any more. Processes of other machines are never certain. */
export function processIsGone(lease: Lease): boolean {
  if (lease.machine !== thisMachine()) return false;
  try {
    process.kill(lease.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

let machine: string | undefined;

/**
 * Host name alone is not enough: containers may share it, and a folder, while each has process ids of its own. Linux
 * names the boot and the process namespace; elsewhere the host name has to do.
 */
function thisMachine(): string {
  machine ??= [hostname(), ...linuxIdentity()].join(' ');
  return machine;
}

function linuxIdentity(): string[] {
  try {
    return [readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), readlinkSync('/proc/self/ns/pid')];
  } catch {
    return [];
  }
}
