import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { Daemon, freePort, type Backend, type BackendCluster, type DaemonOptions } from './backend.js';
import { requireBinary } from './binaries.js';

export interface EtcdOptions {
  /** More of etcd's command line, such as `--auto-compaction-retention=1`. @default none */
  readonly args?: readonly string[];
}

/**
 * A real etcd server on free ports of 127.0.0.1, ready to be written to. It keeps its data over a restart.
 * @throws Error when there is no `etcd` program, or it does not serve
 */
export async function withEtcd(options: EtcdOptions = {}): Promise<Backend> {
  const server = await etcdServer('127.0.0.1');
  return Daemon.start(server.daemon([server], options.args ?? []));
}

/**
 * Three etcd servers on 127.0.0.1, 127.0.0.2 and 127.0.0.3.
 * @throws Error when there is no `etcd` program, or they do not agree on a leader
 */
export async function startEtcdCluster(): Promise<BackendCluster> {
  const servers = await Promise.all(['127.0.0.1', '127.0.0.2', '127.0.0.3'].map(etcdServer));
  const members = await Promise.all(servers.map((server) => Daemon.launch(server.daemon(servers, []))));
  const stop = async () => void (await Promise.all(members.map((member) => member.stop())));
  try {
    await Promise.all(members.map((member) => member.serving()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `etcd://${members.map((member) => member.address).join(',')}`,
    members,
    leader: () => eventually(() => leaderOf(members), { withinMs: 30_000, everyMs: 50 }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface EtcdServer {
  /** This member as `--initial-cluster` lists it. */
  readonly member: string;
  daemon(cluster: readonly EtcdServer[], more: readonly string[]): DaemonOptions;
}

async function etcdServer(host: string): Promise<EtcdServer> {
  const binary = requireBinary('etcd');
  const [client, peer] = [await freePort(host), await freePort(host)];
  const [clientUrl, peerUrl] = [`http://${host}:${client}`, `http://${host}:${peer}`];
  const name = `member-${host.replaceAll('.', '-')}-${client}`;
  return {
    member: `${name}=${peerUrl}`,
    daemon: (cluster, more) => ({
      url: `etcd://${host}:${client}`,
      address: `${host}:${client}`,
      binary,
      args: (folder) => [
        `--name=${name}`,
        `--data-dir=${join(folder, 'data')}`,
        `--listen-client-urls=${clientUrl}`,
        `--advertise-client-urls=${clientUrl}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=${cluster.map((server) => server.member).join(',')}`,
        `--initial-cluster-token=${cluster.map((server) => server.member).join(',')}`,
        '--logger=zap',
        '--log-level=error',
        ...more,
      ],
      ready: async () => {
        const response = await fetch(`${clientUrl}/health`, { signal: AbortSignal.timeout(1_000) });
        return response.ok && String(await response.text()).includes('"true"');
      },
    }),
  };
}

interface Status {
  readonly leader?: string;
  readonly header?: { readonly member_id?: string };
}

/** The running member that calls itself the leader: one that was cut off may still do so, a killed one cannot. */
async function leaderOf(members: readonly Daemon[]): Promise<Backend> {
  for (const member of members.filter((candidate) => candidate.pid !== undefined)) {
    const status = await statusOf(member.address).catch((): Status => ({}));
    if (status.leader !== undefined && status.leader === status.header?.member_id) return member;
  }
  throw new Error('the etcd servers have no leader');
}

async function statusOf(address: string): Promise<Status> {
  const response = await fetch(`http://${address}/v3/maintenance/status`, {
    method: 'POST',
    body: '{}',
    signal: AbortSignal.timeout(1_000),
  });
  return (await response.json()) as Status;
}
