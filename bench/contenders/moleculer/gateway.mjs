import ApiGateway from 'moleculer-web';
import { createBroker, serve } from './broker.mjs';

const broker = createBroker();
broker.createService({
  name: 'api',
  mixins: [ApiGateway],
  settings: {
    port: Number(process.env.PORT),
    ip: '127.0.0.1',
    routes: [{ path: '/', aliases: { 'GET users/:name': 'users.get' }, mappingPolicy: 'restrict' }],
  },
});
await serve(broker, ['users']);
