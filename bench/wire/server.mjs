// A server process for run.mjs: server.mjs <kind>. It says its port, and on any message how much CPU it has used, in µs.
import { serve } from './peers.mjs';

const port = await serve(process.argv[2]);
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpu: user + system });
});
process.on('disconnect', () => process.exit());
process.send({ port });
