// A process that answers as a Consul agent does for one service of many instances: consul.mjs <instances>
// Parent and child talk by IPC: 'change' makes one instance's version another and answers the read that waits.
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';

const size = Number(process.argv[2]);
let index = 100;
let waiting;

/** An entry as Consul 1.8 writes it, field by field, for an instance as Holdfast registers it. */
function entry(n, version) {
  const id = `user-service-${n.toString(16).padStart(8, '0')}-${((n * 2_654_435_761) % 2 ** 32).toString(16)}`;
  const host = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
  const node = {
    ID: `b2c5f6ae-3c1f-4e5b-9a53-${String(n % 500).padStart(12, '0')}`,
    Node: `node-${n % 500}`,
    Address: `10.200.${(n % 500) >> 8}.${n % 256}`,
    Datacenter: 'dc1',
    TaggedAddresses: { lan: '10.200.0.1', lan_ipv4: '10.200.0.1', wan: '10.200.0.1', wan_ipv4: '10.200.0.1' },
    Meta: { 'consul-network-segment': '' },
    CreateIndex: 11,
    ModifyIndex: 12,
  };
  const service = {
    ID: id,
    Service: 'user-service',
    Tags: [],
    Address: host,
    TaggedAddresses: { lan_ipv4: { Address: host, Port: 5_000 }, wan_ipv4: { Address: host, Port: 5_000 } },
    Meta: { 'admin-port': '9901', protocol: 'grpc', version, zone: `zone-${n % 3}` },
    Port: 5_000,
    Weights: { Passing: 1, Warning: 1 },
    EnableTagOverride: false,
    Proxy: { MeshGateway: {}, Expose: {} },
    Connect: {},
    CreateIndex: 100 + n,
    ModifyIndex: 100 + n,
  };
  const check = {
    Node: node.Node,
    Status: 'passing',
    Notes: '',
    ServiceTags: [],
    Definition: {},
    CreateIndex: 11,
    ModifyIndex: 11,
  };
  const checks = [
    {
      ...check,
      CheckID: 'serfHealth',
      Name: 'Serf Health Status',
      Output: 'Agent alive and reachable',
      ServiceID: '',
      ServiceName: '',
      Type: '',
    },
    {
      ...check,
      CheckID: `service:${id}`,
      Name: 'user-service by grpc',
      Output: `gRPC check ${host}:5000: success`,
      ServiceID: id,
      ServiceName: 'user-service',
      Type: 'grpc',
    },
  ];
  return JSON.stringify({ Node: node, Service: service, Checks: checks });
}

const entries = Array.from({ length: size }, (_, n) => entry(n, '0'));
let body;
pack();

/** Makes the answer of the entries, before anybody waits for it. */
function pack() {
  body = gzipSync(`[${entries.join(',')}]`);
}

const answer = (response) => {
  response.setHeader('x-consul-index', String(index)).setHeader('content-type', 'application/json');
  // As the real one does for who asks for it.
  response.setHeader('content-encoding', 'gzip');
  response.write(body);
  response.end();
};
const server = createServer((request, response) => {
  const asked = new URL(request.url, 'http://x').searchParams.get('index');
  if (asked === String(index)) waiting = response;
  else answer(response);
});

process.on('message', (message) => {
  if (message.change === undefined) return;
  const n = (message.change * 7_919) % size;
  entries[n] = entry(n, String(message.change));
  pack();
  index++;
  process.send({ changed: message.change });
  if (waiting) answer(waiting);
  waiting = undefined;
});
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port, bytes: body.length }));
