import { EventEmitter } from 'node:events';
import { CallContext, Cell, systemClock } from '@holdfast/core';
import { Resilience } from '@holdfast/resilience';
import { RpcTargets } from '@holdfast/rpc';
import { Telemetry } from '@holdfast/telemetry';
// No public name leads to it.
import { InboundCall } from '../../libs/rpc/dist/grpc-js/inbound-call.js';

// What being observed adds to one request, in microseconds of CPU: the same code with and without observers, turn and turn
// about. The best round of each counts, since nothing but the machine's other work makes one slower than it is.
const ROUNDS = 15;
const CALLS = 20_000;

const traced = process.argv.includes('--traces');
const telemetry = await Telemetry.open(
  { name: 'bench', id: 'bench-1' },
  // Nobody listens there: what is measured is the recording, and a queue that is full.
  traced ? { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' } : {},
  () => false,
);
const context = new CallContext({ requestId: 'r-1' });
const message = { encode: () => ({ finish: () => new Uint8Array() }), decode: () => ({}) };
const service = {
  name: 'Users',
  fullName: 'users.Users',
  methods: {
    get: { name: 'Get', requestType: message, responseType: message, requestStream: false, responseStream: false, options: {} }, // prettier-ignore
  },
};
const instance = { id: 'users-1', service: 'users', host: '127.0.0.1', port: 1, protocol: 'grpc' };

/** A client whose transport answers at once. */
function client(observe) {
  const link = { state: new Cell('ready'), connect() {}, unary: async () => ({}), close() {} };
  const view = { service: 'users', instances: new Cell([instance]), held: [], origin: 'registry' };
  const targets = new RpcTargets({ watch: () => view }, { name: 'none', connect: () => link }, { observe });
  const users = targets.client(service, { target: 'users' });
  return () => CallContext.run(context, () => users.get({}));
}

const work = async () => 1;

/** A name with the policies that the demo has. */
function policies(observe) {
  const resilience = new Resilience({ observe });
  const options = { timeout: '1s', bulkhead: { limit: 100 }, breaker: { errorThresholdPercentage: 25 } };
  return () => CallContext.run(context, () => resilience.run('users.get', work, options));
}

/** A call as it arrives at the server, up to its answer. */
function server(observer) {
  const metadata = { get: () => [] };
  const call = { metadata, cancelled: false, getDeadline: () => Infinity, once() {} };
  return async () => {
    const inbound = new InboundCall(call, systemClock, observer);
    inbound.end(0);
  };
}

/** What the HTTP edge does for a request, beside what it does anyway. */
function edge(observes) {
  return async () => {
    const response = new EventEmitter();
    if (observes) {
      const startedAt = systemClock.now();
      const trace = telemetry.route('GET', '/users/:name').begin(undefined);
      response.once('close', () => {
        telemetry.route('GET', '/users/:name').end(200, systemClock.now() - startedAt, trace);
        CallContext.run(context, () => telemetry.access.request({}));
      });
    }
    response.emit('close');
  };
}

async function micros(call) {
  const before = process.cpuUsage();
  for (let n = 0; n < CALLS; n++) await call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}

const subjects = [
  ['HTTP edge', edge(false), edge(true)],
  ['policies', policies(undefined), policies(telemetry.policies)],
  ['gRPC client', client(undefined), client(telemetry.called)],
  ['gRPC server', server(undefined), server(telemetry.served('/users.Users/Get'))],
];
const more = new Map();
for (const [name, without, observed] of subjects) {
  let [best, bestObserved] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    best = Math.min(best, await micros(without));
    bestObserved = Math.min(bestObserved, await micros(observed));
  }
  more.set(name, bestObserved - best);
  console.log(`${name.padEnd(12)} ${best.toFixed(2)} → ${bestObserved.toFixed(2)} µs, ${(bestObserved - best).toFixed(2)} more`); // prettier-ignore
}
const gateway = ['HTTP edge', 'policies', 'gRPC client'].reduce((sum, name) => sum + more.get(name), 0);
console.log(`a request at a gateway: ${gateway.toFixed(2)} µs more${traced ? ', with spans' : ''}`);
process.exit(0);
