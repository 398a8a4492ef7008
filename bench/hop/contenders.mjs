import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from './free-ports.mjs';
import { ServerProcess } from './server-process.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const contenders = join(root, 'bench/contenders');

/** What we go by in the tables. */
const OURS = 'Holdfast';

/** A limit that counts for this machine, and is never reached. */
const countingLimit = 'gateway: { rateLimit: { client: { rate: 1000000, burst: 1000000, exempt: [] } } }\n';

/**
 * The contenders, the measure of the others first. Each has a gateway and `replicas` user services on loopback; what they
 * are told is all that they differ in here.
 */
const plans = {
  'stock Nest': nest('gateway'),
  // With helmet, throttler, swagger, pino-http and terminus.
  'equipped Nest': nest('equipped-gateway'),
  // No contender but the floor: what Fastify and grpc-js alone cost, which no framework on this transport can go below.
  'by hand': (ports, replicas) => {
    const [port, ...grpc] = ports;
    return {
      services: replicas.map((ID, i) => ({
        script: 'bench/hop/bare/user-service.mjs',
        env: { ID, GRPC_PORT: grpc[i] },
      })),
      gateway: {
        script: 'bench/hop/bare/gateway.mjs',
        env: { PORT: port, UPSTREAMS: replicas.map((_, i) => `127.0.0.1:${grpc[i]}`).join(',') },
      },
      cwd: root,
    };
  },
  // No contender either: a proxy in C before services that are nothing but HTTP.
  haproxy: (ports, replicas) => {
    const [port, ...http] = ports;
    return {
      services: replicas.map((ID, i) => ({
        script: 'bench/hop/bare/http-user-service.mjs',
        env: { ID, PORT: http[i] },
      })),
      gateway: {
        script: 'bench/hop/bare/haproxy.mjs',
        env: { PORT: port, UPSTREAMS: replicas.map((_, i) => `127.0.0.1:${http[i]}`).join(',') },
      },
      cwd: root,
    };
  },
  Moleculer: (ports, replicas) => {
    const [port, ...tcp] = ports;
    const NODES = ['gateway', ...replicas].map((id, i) => `127.0.0.1:${tcp[i]}/${id}`).join(',');
    return {
      services: replicas.map((ID) => ({ script: 'moleculer/user-service.mjs', env: { ID, NODES } })),
      gateway: { script: 'moleculer/gateway.mjs', env: { ID: 'gateway', NODES, PORT: port } },
      cwd: contenders,
    };
  },
  [OURS]: ours({ LOG_LEVEL: 'error' }),
  [`${OURS} on grpc-js`]: ours({ LOG_LEVEL: 'error', RPC_TRANSPORT: 'grpc-js' }),
  // What 'equipped Nest' has, too: a line for each request, and a limit that counts for this machine and is never reached.
  [`equipped ${OURS}`]: ours({ LOG_LEVEL: 'log' }, countingLimit),
};

function nest(gateway) {
  return (ports, replicas) => {
    const [port, ...grpc] = ports;
    return {
      services: replicas.map((ID, i) => ({ script: 'nest/user-service.mjs', env: { ID, GRPC_PORT: grpc[i] } })),
      gateway: {
        script: `nest/${gateway}.mjs`,
        env: { PORT: port, UPSTREAMS: replicas.map((_, i) => `127.0.0.1:${grpc[i]}`).join(',') },
      },
      cwd: contenders,
    };
  };
}

function ours(more, config = '{}\n') {
  return (ports, replicas, folder) => {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, config);
    const shared = {
      ADMIN_PORT: 0,
      REGISTRY_URL: `file:${join(folder, 'registry')}`,
      CONFIG_URL: `file:${file}`,
      SNAPSHOT_DIR: join(folder, 'snapshots'),
      DRAIN_MS: 1_000,
      ...more,
    };
    return {
      services: replicas.map((ID) => ({
        script: 'bench/hop/holdfast-user-service.mjs',
        env: { ...shared, ID, GRPC_PORT: 0 },
      })),
      gateway: { script: 'apps/gateway/dist/main.js', env: { ...shared, PORT: ports[0] } },
      cwd: root,
    };
  };
}

export const contenderNames = Object.keys(plans);
/** Those that need nothing that `npm ci` does not bring. */
export const usualNames = contenderNames.filter((name) => name !== 'haproxy');

/** One contender that serves: a gateway, its user services, and the address to load. */
export class Contender {
  gateway;
  services = [];

  constructor(name, url) {
    this.name = name;
    this.url = url;
  }

  /** Starts all its processes. What already runs is stopped again when one of them does not start. */
  static async start(name, { node, replicas }) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-hop-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const ids = Array.from({ length: replicas }, (_, i) => `users-${i + 1}`);
    const ports = await freePorts(replicas + 2);
    const plan = plans[name](ports, ids, folder);
    const launch = ({ script, env }) => ServerProcess.start({ node, script, cwd: plan.cwd, env });
    const contender = new Contender(name, `http://127.0.0.1:${ports[0]}/users/alice`);
    try {
      for (const service of plan.services) contender.services.push(await launch(service));
      contender.gateway = await launch(plan.gateway);
      await contender.verify();
    } catch (error) {
      await contender.stop();
      throw new Error(`${name} does not run: ${error.message}`, { cause: error });
    }
    return contender;
  }

  /** Asks for one user, until the answer is the agreed one: a fast wrong answer would win every column. */
  async verify() {
    let seen;
    for (let attempt = 0; attempt < 50; attempt++) {
      const response = await fetch(this.url);
      seen = await response.text();
      if (response.ok) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { name, message, servedBy, ...rest } = JSON.parse(seen);
    const right = name === 'alice' && /alice/.test(message) && servedBy?.length > 0 && Object.keys(rest).length === 0;
    if (!right) throw new Error(`GET ${this.url} answered ${seen.slice(0, 500)}`);
  }

  async stop() {
    await this.gateway?.stop();
    await Promise.all(this.services.map((service) => service.stop()));
  }
}
