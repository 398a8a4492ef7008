import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { Daemon, freePort, type Backend, type BackendCluster, type DaemonOptions } from './backend.js';
import { requireBinary } from './binaries.js';

export interface ConsulOptions {
  /** Keeps what it knows on disk over a restart. A development agent, the default, forgets everything. @default false */
  readonly durable?: boolean;
  /** More of Consul's configuration file, such as `acl`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * A real Consul agent (a server of its own) on free ports of 127.0.0.1, ready to be written to.
 * @throws Error when there is no `consul` program, or it does not serve
 */
export async function withConsul(options: ConsulOptions = {}): Promise<Backend> {
  const { durable = false, config = {} } = options;
  const server = await consulServer('127.0.0.1', await freePort());
  const flags = durable ? [] : ['-dev'];
  const alone = durable ? { server: true, bootstrap_expect: 1 } : {};
  return Daemon.start(server.daemon(flags, { ...alone, ...config }));
}

/**
 * Three Consul servers on 127.0.0.1, 127.0.0.2 and 127.0.0.3 that elect a new leader in a few seconds after a loss.
 * @throws Error when there is no `consul` program, or they do not agree on a leader
 */
export async function startConsulCluster(): Promise<BackendCluster> {
  const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  const servers = await Promise.all(hosts.map(async (host) => consulServer(host, await freePort(host))));
  const joins = servers.map((server) => server.gossip);
  const members = await Promise.all(
    servers.map((server) => Daemon.launch(server.daemon([], { server: true, bootstrap_expect: 3, retry_join: joins }))),
  );
  const stop = async () => void (await Promise.all(members.map((member) => member.stop())));
  try {
    await Promise.all(members.map((member) => member.serving()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `consul://${members.map((member) => member.address).join(',')}`,
    members,
    leader: () => eventually(() => leaderOf(members, servers), { withinMs: 30_000, everyMs: 50 }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface ConsulServer {
  /** `host:port` at which the servers talk to each other; Consul names its leader by it. */
  readonly rpc: string;
  readonly gossip: string;
  daemon(flags: readonly string[], config: Readonly<Record<string, unknown>>): DaemonOptions;
}

async function consulServer(host: string, http: number): Promise<ConsulServer> {
  const binary = requireBinary('consul');
  const [rpc, gossip] = [await freePort(host), await freePort(host)];
  const address = `${host}:${http}`;
  const base = {
    node_name: `node-${host.replaceAll('.', '-')}-${http}`,
    bind_addr: host,
    client_addr: host,
    // Off: what the tests never use and what would need more ports.
    ports: { http, server: rpc, serf_lan: gossip, serf_wan: -1, dns: -1, grpc: -1 },
    // The fastest elections that Consul offers; its default waits five times as long.
    performance: { raft_multiplier: 1 },
    disable_update_check: true,
    log_level: 'WARN',
  };
  return {
    rpc: `${host}:${rpc}`,
    gossip: `${host}:${gossip}`,
    daemon: (flags, config) => ({
      url: `consul://${address}`,
      address,
      binary,
      args: (folder) => {
        const file = join(folder, 'consul.json');
        writeFileSync(file, JSON.stringify({ ...base, ...config }));
        const data = flags.includes('-dev') ? [] : ['-data-dir', join(folder, 'data')];
        return ['agent', ...flags, ...data, '-config-file', file];
      },
      ready: async () => (await leaderAt(address)) !== '' && (await answers(address)),
    }),
  };
}

async function leaderAt(address: string): Promise<string> {
  const response = await fetch(`http://${address}/v1/status/leader`, { signal: AbortSignal.timeout(1_000) });
  return response.ok ? String(await response.json()) : '';
}

/** A new leader takes a moment until it answers reads. What it then says, nothing or a refusal, does not matter. */
async function answers(address: string): Promise<boolean> {
  const response = await fetch(`http://${address}/v1/kv/anything?consistent`, { signal: AbortSignal.timeout(1_000) });
  return response.status < 500;
}

/** Asks those that run; one that was killed cannot lead, whatever the others still believe. */
async function leaderOf(members: readonly Daemon[], servers: readonly ConsulServer[]): Promise<Backend> {
  for (const member of members.filter((candidate) => candidate.pid !== undefined)) {
    const rpc = await leaderAt(member.address).catch(() => '');
    const leader = members[servers.findIndex((server) => server.rpc === rpc)];
    if (leader?.pid !== undefined) return leader;
  }
  throw new Error('the Consul servers have no leader');
}
