import { isIP } from 'node:net';
import { SERVICE_PLACE, type RegistryAddress } from './registry-address.js';

/** What a `dns:` URL says. */
export interface DnsSettings {
  /** With the place for the name of a service. */
  readonly name: string;
  /** The instances' port; undefined: SRV records say it. */
  readonly port: number | undefined;
  /** Name servers, as `node:dns` wants them; undefined for the system's own. */
  readonly servers: readonly string[] | undefined;
  /** How often a name is asked for, in milliseconds. */
  readonly everyMs: number;
  /** How long an answer may be kept on its way, in milliseconds. */
  readonly ttlMs: number;
}

/** @throws StartupError with the part of the URL that cannot be used */
export function readDnsUrl(address: RegistryAddress): DnsSettings {
  const { servers, everyMs, ttlMs } = address.query('servers', 'everyMs', 'ttlMs');
  const example = `dns://${SERVICE_PLACE}.holdfast.svc.cluster.local:50051`;
  const parts = /^\/\/((?:[a-zA-Z0-9._-]|\{service\})+)(?::(\d{1,5}))?$/.exec(address.body);
  const [, name = '', digits] = parts ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (!parts || port === 0 || (port ?? 1) > 65_535) throw address.wrong(`is not readable; write ${example}`);
  if (!name.includes(SERVICE_PLACE)) {
    throw address.wrong(
      `does not say where the name of a service goes; write ${SERVICE_PLACE} there, as in ${example}`,
    );
  }
  return {
    name,
    port,
    servers: servers?.split(',').map((server) => serverOf(address, server.trim())),
    everyMs: milliseconds(address, 'everyMs', everyMs, 1_000, [100, 60_000]),
    ttlMs: milliseconds(address, 'ttlMs', ttlMs, 5_000, [0, 600_000]),
  };
}

function serverOf(address: RegistryAddress, text: string): string {
  const [, host = '', digits = '53'] = /^(\[[0-9a-fA-F:.]+\]|[0-9.]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = Number(digits);
  if (isIP(host.replace(/^\[|\]$/g, '')) === 0 || port < 1 || port > 65_535) {
    throw address.wrong(`has the name server "${text}"; write its address, such as 10.96.0.10 or 127.0.0.1:5353`);
  }
  return text;
}

function milliseconds(
  address: RegistryAddress,
  name: string,
  text: string | undefined,
  usual: number,
  [min, max]: readonly [number, number],
): number {
  if (text === undefined) return usual;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw address.wrong(`has ${name}=${text}; write a number of milliseconds from ${min} to ${max}`);
}
