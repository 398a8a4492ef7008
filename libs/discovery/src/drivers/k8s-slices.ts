import type { Instance } from '../driver.js';

/** Of `discovery.k8s.io/v1`, as far as it is of use here. */
export interface EndpointSlice {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly addressType?: string;
  readonly endpoints?: readonly Endpoint[] | null;
  readonly ports?: readonly EndpointPort[] | null;
}

interface Endpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean | null; readonly terminating?: boolean | null };
  readonly targetRef?: { readonly kind?: string; readonly name?: string };
  readonly zone?: string;
}

interface EndpointPort {
  readonly name?: string | null;
  readonly port?: number | null;
}

/** What a Service calls the port that callers use. */
const CALLED = 'grpc';
/** What it calls the port of health and state. */
const ADMIN = 'admin';
const HTTP = /^http/;

/**
 * The ready endpoints of a service's slices, in the order of their ids. A pod that two slices have, because it has two addresses
 * or moves from one slice to another, counts once, with its IPv4 address where it has one. The port is the one that is named
 * `grpc`, else the first.
 */
export function fromSlices(service: string, slices: Iterable<EndpointSlice>): Instance[] {
  const instances = new Map<string, Instance>();
  // "IPv4" sorts before "IPv6"; names of hosts are no addresses of instances.
  const usable = [...slices].filter(({ addressType }) => addressType !== 'FQDN');
  for (const slice of usable.toSorted((a, b) => ((a.addressType ?? '') < (b.addressType ?? '') ? -1 : 1))) {
    const called = slice.ports?.find(({ name }) => name === CALLED) ?? slice.ports?.[0];
    const admin = slice.ports?.find(({ name }) => name === ADMIN)?.port;
    if (!called?.port) continue;
    const protocol = HTTP.test(called.name ?? '') ? 'http' : 'grpc';
    for (const endpoint of slice.endpoints ?? []) {
      const host = endpoint.addresses?.[0];
      if (host === undefined || !isReady(endpoint)) continue;
      const pod = endpoint.targetRef?.kind === 'Pod' ? endpoint.targetRef.name : undefined;
      const id = pod ?? `${service}@${host.includes(':') ? `[${host}]` : host}:${called.port}`;
      if (instances.has(id)) continue;
      const { zone } = endpoint;
      const known = { ...(zone !== undefined && { zone }), ...(admin && { adminPort: admin }) };
      instances.set(id, { id, service, host, port: called.port, protocol, ...known });
    }
  }
  return [...instances.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** What nobody has said counts as ready, by the API's own word; who is being ended takes no new calls, whatever it publishes. */
function isReady({ conditions }: Endpoint): boolean {
  return conditions?.ready !== false && conditions?.terminating !== true;
}
