import { Server } from 'node:net';
import { ServiceBroker } from 'moleculer';

// Moleculer's TCP transporter has no option for the address it listens on; a bench opens nothing beyond loopback.
const { listen } = Server.prototype;
Server.prototype.listen = function listenOnLoopback(options, ...rest) {
  return listen.call(this, typeof options === 'object' ? { host: '127.0.0.1', ...options } : options, ...rest);
};

/**
 * A broker with the policies on that Holdfast has on, and the rest as Moleculer ships it. Nodes find each other by the
 * static list in `NODES` ("127.0.0.1:4001/gateway,…"): multicast would leave the machine.
 */
export function createBroker() {
  const broker = new ServiceBroker({
    nodeID: process.env.ID,
    logger: { type: 'Console', options: { level: 'error' } },
    transporter: { type: 'TCP', options: { udpDiscovery: false, urls: process.env.NODES, gossipPeriod: 1 } },
    requestTimeout: 1000,
    retryPolicy: { enabled: true, retries: 2 },
    circuitBreaker: { enabled: true },
    // The default of 10 would queue most of 64 connections: a limit no run reaches costs the same and measures the rest.
    bulkhead: { enabled: true, concurrency: 200, maxQueueSize: 200 },
  });
  // What the other nodes connect to; by default the machine's own name, which need not be loopback.
  broker.registry.nodes.localNode.hostname = '127.0.0.1';
  return broker;
}

/** Starts the broker, waits for `services`, tells the bench, and stops when the bench says so or is gone. */
export async function serve(broker, services = []) {
  await broker.start();
  if (services.length > 0) await broker.waitForServices(services, 20_000, 50);
  const end = () => void broker.stop().finally(() => process.exit(0));
  process.once('SIGTERM', end);
  process.once('disconnect', end);
  process.send({ type: 'ready' });
}
