import { createServer } from 'node:http';
import { stopOnSignal } from './stop.mjs';

/** The user service as plain HTTP, with nothing but Node.js: what stands behind a proxy. */
const server = createServer(({ url }, response) => {
  const name = decodeURIComponent(url.slice('/users/'.length));
  const body = JSON.stringify({ name, message: `Hello, ${name}!`, servedBy: process.env.ID });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT), '127.0.0.1', () => stopOnSignal());
