import { readFileSync } from 'node:fs';
import type { CheckKind } from './consul-wire.js';
import type { RegistryAddress } from './registry-address.js';

/** What a `consul:` URL says. */
export interface ConsulSettings {
  /** Agents, in the order of preference. */
  readonly hosts: readonly ConsulHost[];
  /** PEM text of the authority that signed the agents' certificates; undefined for the system's own. */
  readonly ca?: string | undefined;
  readonly secure: boolean;
  readonly token: string | undefined;
  readonly dc: string | undefined;
  /** Put before the name of every service. */
  readonly prefix: string;
  /** How Consul finds out that an instance died; undefined: by the instance's protocol. */
  readonly check: CheckKind | undefined;
}

export interface ConsulHost {
  readonly host: string;
  readonly port: number;
}

const CHECKS: readonly CheckKind[] = ['grpc', 'http', 'ttl'];

/** @throws StartupError with the part of the URL that cannot be used; never with the token */
export function readConsulUrl(address: RegistryAddress, token: string | undefined): ConsulSettings {
  const secure = address.scheme === 'consul+tls';
  const query = address.query('dc', 'token', 'prefix', 'check', 'ca');
  const parts = /^\/\/(?:([^@/]*)@)?([^@/]+)\/?$/.exec(address.body);
  if (!parts) throw address.wrong(`is not readable; write ${address.scheme}://host:port, or several hosts with commas`);
  const { prefix = '', check, ca } = query;
  if (!/^[a-zA-Z0-9-]{0,64}$/.test(prefix)) {
    throw address.wrong('has a prefix that is not of letters, digits and dashes; write prefix=team-a-');
  }
  if (check !== undefined && !CHECKS.some((kind) => kind === check)) {
    throw address.wrong(`has an unknown check "${check}"; use ${CHECKS.join(', ')}`);
  }
  if (ca !== undefined && !secure) throw address.wrong('has a ca without TLS; write consul+tls:// before the host');
  return {
    hosts: (parts[2] ?? '').split(',').map((host) => hostOf(address, host.trim())),
    secure,
    ca: ca === undefined ? undefined : pem(address, ca),
    token: query.token ?? (parts[1] ? decoded(address, parts[1]) : undefined) ?? (token === '' ? undefined : token),
    dc: query.dc,
    prefix,
    check: check as CheckKind | undefined,
  };
}

function hostOf(address: RegistryAddress, text: string): ConsulHost {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(parts?.[2] ?? 8500);
  if (!parts || port < 1 || port > 65_535) {
    throw address.wrong(`has the host "${text}"; write host:port, such as 127.0.0.1:8500`);
  }
  return { host: parts[1] ?? '', port };
}

function pem(address: RegistryAddress, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw address.wrong(`names a ca file that cannot be read (${code}); write ca=/path/to/ca.pem`);
  }
}

function decoded(address: RegistryAddress, token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    throw address.wrong('has a token that is not encoded as a URL wants it; write % as %25, or pass the token apart');
  }
}
