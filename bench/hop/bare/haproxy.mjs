import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** haproxy as the gateway, on one thread as the others are: what a proxy written in C costs. */
const fetched = fileURLToPath(new URL('../../../.backends/bin/haproxy', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-haproxy-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const servers = process.env.UPSTREAMS.split(',').map((address, i) => ` server s${i} ${address}`);
const config = join(folder, 'haproxy.cfg');
writeFileSync(
  config,
  `global
 nbthread 1
defaults
 mode http
 timeout connect 5s
 timeout client 60s
 timeout server 60s
frontend edge
 bind 127.0.0.1:${process.env.PORT}
 default_backend users
backend users
 balance roundrobin
 http-reuse always
${servers.join('\n')}
`,
);
const haproxy = spawn(existsSync(fetched) ? fetched : 'haproxy', ['-f', config], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
haproxy.once('error', () => {
  console.error('haproxy is missing; run `npm run backends -- interop` first.');
  process.exit(1);
});
haproxy.once('exit', (code) => process.exit(code ?? 1));
process.once('SIGTERM', () => haproxy.kill());
process.once('disconnect', () => haproxy.kill());

for (let tries = 0; !(await listens()); tries++) {
  if (tries === 50) process.exit(1);
  await new Promise((resolve) => setTimeout(resolve, 100));
}
process.send?.({ type: 'ready', pid: haproxy.pid });

function listens() {
  const socket = connect(Number(process.env.PORT), '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
