import { configKey, LiveConfigModule } from '@holdfast/config';
import { UserServiceDefinition } from '@holdfast/proto/user/v1/user';
import { Resilient } from '@holdfast/resilience';
import { RpcModule } from '@holdfast/rpc';
import { Controller, forwardRef, Injectable, Module, type DynamicModule } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configDemands } from './config-demands.js';

const size = configKey('cart.size', z.int().default(10));
const promised = configKey('promised', z.int().default(1));
let made = 0;

@Injectable()
class OrdersClient {
  constructor() {
    made++;
  }

  @Resilient('orders.get', { timeout: '300ms' })
  async get(): Promise<void> {}
}

@Injectable()
class BetterOrdersClient extends OrdersClient {
  @Resilient('orders.all', { bulkhead: { limit: 3 } })
  async all(): Promise<void> {}
}

@Controller()
class OrdersController {
  @Resilient('orders.checkout', {})
  async checkout(): Promise<void> {}
}

@Module({ imports: [forwardRef(() => AppModule)] })
class Circular {}

@Module({})
class Later {
  static async module(): Promise<DynamicModule> {
    return { module: Later, imports: [LiveConfigModule.forFeature(promised)] };
  }
}

@Module({
  imports: [
    LiveConfigModule.forFeature(size),
    RpcModule.client(UserServiceDefinition, { target: 'user-service' }),
    Circular,
    Later.module(),
  ],
  controllers: [OrdersController],
  providers: [
    { provide: 'orders', useClass: BetterOrdersClient },
    { provide: 'factory', useFactory: () => made++ },
  ],
})
class AppModule {}

describe('what an app asks the configuration store for', () => {
  it('is found in its modules’ metadata, with what the code says, and nothing is made for it', async () => {
    const demands = await configDemands(AppModule);
    expect(demands.map(({ key }) => key).toSorted()).toEqual([
      'cart.size',
      'log.level',
      'promised',
      'resilience.orders.all',
      'resilience.orders.checkout',
      'resilience.orders.get',
      'rpc.user-service.balancer',
      'rpc.user-service.maxPeers',
    ]);
    const codeOf = (name: string) => demands.find(({ key }) => key === `resilience.${name}`)?.code;
    expect(codeOf('orders.get')).toMatchObject({ timeout: 300 });
    expect(codeOf('orders.all')).toMatchObject({ bulkhead: { limit: 3 } });
    expect(made).toBe(0);
  });

  it('fails with a sentence where an option is wrong, as the start of the app would', async () => {
    class Wrong {
      @Resilient('wrong', { attemptTimeout: '2s', timeout: '1s' })
      async call(): Promise<void> {}
    }
    @Module({ providers: [Wrong] })
    class WrongModule {}
    await expect(configDemands(WrongModule)).rejects.toThrow("@Resilient('wrong') on Wrong.call: attemptTimeout");
  });
});
