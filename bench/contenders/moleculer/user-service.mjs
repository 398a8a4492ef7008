import { createBroker, serve } from './broker.mjs';

const broker = createBroker();
broker.createService({
  name: 'users',
  actions: {
    get: {
      params: { name: 'string' },
      handler: ({ params: { name } }) => ({ name, message: `Hello, ${name}!`, servedBy: process.env.ID }),
    },
  },
});
await serve(broker);
