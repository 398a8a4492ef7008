import { describe, expect, it } from 'vitest';
import { appsOf, isEdge } from '../apps.js';
import { planMesh } from './mesh-plan.js';

const options = { replicas: 2, verbose: false, watch: false, help: false };
const apps = ['gateway', 'order-service', 'user-service'];
const env = { PORT: '8080', GRPC_PORT: '50051', ADMIN_PORT: '9090', DATABASE_URL: 'file:data/{service}.db' };
const commandsOf = (given: NodeJS.ProcessEnv) =>
  planMesh(apps, options, given).tiers.flatMap(({ commands }) => commands);

describe('the mesh on this machine', () => {
  it('has one process of the edge, first, and the wanted number of each service', () => {
    expect(commandsOf({}).map(({ label, script }) => [label, script])).toEqual([
      ['gateway', 'apps/gateway/dist/main.js'],
      ['order-service-1', 'apps/order-service/dist/main.js'],
      ['order-service-2', 'apps/order-service/dist/main.js'],
      ['user-service-1', 'apps/user-service/dist/main.js'],
      ['user-service-2', 'apps/user-service/dist/main.js'],
    ]);
  });

  it('gives the operator’s ports to the edge alone, and each service a place for its data', () => {
    const [gateway, orders, , users] = commandsOf(env).map((command) => command.env);
    expect(gateway).toMatchObject({ PORT: '8080', ADMIN_PORT: '9090' });
    expect(orders).toMatchObject({
      PORT: '0',
      GRPC_PORT: '0',
      ADMIN_PORT: '0',
      DATABASE_URL: 'file:data/order-service.db',
    });
    expect(users).toMatchObject({ DATABASE_URL: 'file:data/user-service.db' });
    expect(commandsOf({})[1]!.env).not.toHaveProperty('DATABASE_URL');
  });

  it('is of the apps that there are, the edges before the services', () => {
    const there = appsOf();
    expect(there).toEqual(expect.arrayContaining(['gateway', 'user-service']));
    expect(there).toEqual([...there.filter(isEdge), ...there.filter((app) => !isEdge(app))]);
    expect(['gateway', 'partner-gateway', 'gateway-service', 'user-service'].map(isEdge)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
