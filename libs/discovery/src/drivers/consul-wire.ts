import type { Instance } from '../driver.js';

/** How Consul finds out whether an instance lives. */
export type CheckKind = 'grpc' | 'http' | 'ttl';

/** A heartbeat is missed at a renewal of every 2 s twice before Consul acts. */
const TTL = '6s';
const PROBE_EVERY = '1s';
const PROBE_TIMEOUT = '1s';
/** Consul's own minimum. */
const FORGET_AFTER = '1m';
/** Before the names of an instance's own metadata, so that they cannot be mistaken for our fields. */
const METADATA = 'meta-';

/** Consul's id for the check of an instance. */
export function checkId(instance: Instance): string {
  return `service:${instance.id}`;
}

/** The check that suits the instance where the URL asks for none: what its protocol has; a heartbeat where it cannot. */
export function checkKind(instance: Instance, wanted: CheckKind | undefined): CheckKind {
  return wanted ?? (instance.protocol === 'grpc' ? 'grpc' : instance.adminPort === undefined ? 'ttl' : 'http');
}

/**
 * The body of `PUT /v1/agent/service/register`. The check starts as passing, because Discovery registers only what
 * serves already.
 * @throws Error when the instance has no port for the kind of check
 */
export function toRegistration(instance: Instance, name: string, kind: CheckKind, tags: readonly string[]): object {
  return {
    ID: instance.id,
    Name: name,
    Address: instance.host,
    Port: instance.port,
    ...(tags.length > 0 && { Tags: tags }),
    Meta: toMeta(instance),
    ...(instance.weight !== undefined && { Weights: { Passing: instance.weight, Warning: instance.weight } }),
    Check: {
      CheckID: checkId(instance),
      Name: `${name} by ${kind}`,
      Status: 'passing',
      DeregisterCriticalServiceAfter: FORGET_AFTER,
      ...probe(instance, kind),
    },
  };
}

function probe(instance: Instance, kind: CheckKind): object {
  const host = instance.host.includes(':') ? `[${instance.host}]` : instance.host;
  switch (kind) {
    case 'ttl':
      return { TTL };
    case 'grpc':
      return { GRPC: `${host}:${instance.port}`, Interval: PROBE_EVERY, Timeout: PROBE_TIMEOUT };
    case 'http':
      if (instance.adminPort === undefined) {
        throw new Error(`${instance.id} has no admin port that Consul could check over HTTP; use check=ttl.`);
      }
      return { HTTP: `http://${host}:${instance.adminPort}/readyz`, Interval: PROBE_EVERY, Timeout: PROBE_TIMEOUT };
  }
}

/** Consul allows 64 entries, values of 512 characters, and only letters, digits, `-` and `_` in names. */
function toMeta(instance: Instance): Record<string, string> {
  const meta: Record<string, string> = { protocol: instance.protocol };
  if (instance.version !== undefined) meta['version'] = instance.version;
  if (instance.zone !== undefined) meta['zone'] = instance.zone;
  if (instance.weight !== undefined) meta['weight'] = String(instance.weight);
  if (instance.adminPort !== undefined) meta['admin-port'] = String(instance.adminPort);
  if (instance.metadata !== undefined) meta['has-metadata'] = 'true';
  for (const [name, value] of Object.entries(instance.metadata ?? {})) meta[METADATA + escapeName(name)] = value;
  return meta;
}

/** Other characters become `_` and two hexadecimal digits for each byte of their UTF-8, `_` itself included. */
function escapeName(name: string): string {
  return name.replace(/[^a-zA-Z0-9-]+/g, (other) => Buffer.from(other).toString('hex').replace(/../g, '_$&'));
}

function unescapeName(name: string): string {
  return name.replace(/(?:_[0-9a-f]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll('_', ''), 'hex').toString());
}

interface Entry {
  readonly Node?: { readonly Address?: string };
  readonly Service?: {
    readonly ID?: string;
    readonly Address?: string;
    readonly Port?: number;
    readonly Meta?: Readonly<Record<string, string>> | null;
    readonly Weights?: { readonly Passing?: number } | null;
  };
}

/**
 * The instances in an answer of `GET /v1/health/service/:name`, in the order of their ids. What others registered without our metadata is taken as
 * well as it goes: a service of theirs can be called too. An instance that two agents know, because its process moved
 * from one to the other, counts once.
 */
export function fromHealth(service: string, body: unknown): Instance[] {
  const instances = new Map<string, Instance>();
  for (const entry of Array.isArray(body) ? (body as (Entry | null)[]) : []) {
    const instance = fromEntry(service, entry ?? {});
    if (instance) instances.set(instance.id, instance);
  }
  return [...instances.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function fromEntry(service: string, { Node, Service }: Entry): Instance | undefined {
  const host = Service?.Address || Node?.Address;
  if (!Service?.ID || !host || !Service.Port) return undefined;
  const meta = Service.Meta ?? {};
  const weight = Service.Weights?.Passing ?? 1;
  const adminPort = Number(meta['admin-port']);
  return {
    id: Service.ID,
    service,
    host,
    port: Service.Port,
    protocol: meta['protocol'] === 'http' ? 'http' : 'grpc',
    // Consul gives everybody the weight 1, so only our own word tells one that was meant from one that was not.
    ...((weight !== 1 || meta['weight'] !== undefined) && { weight: Math.min(Math.max(weight, 1), 100) }),
    ...(meta['version'] !== undefined && { version: meta['version'] }),
    ...(meta['zone'] !== undefined && { zone: meta['zone'] }),
    ...(adminPort > 0 && { adminPort }),
    ...(meta['has-metadata'] !== undefined && { metadata: metadataOf(meta) }),
  };
}

function metadataOf(meta: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(meta).filter(([name]) => name.startsWith(METADATA));
  return Object.fromEntries(own.map(([name, value]) => [unescapeName(name.slice(METADATA.length)), value]));
}
