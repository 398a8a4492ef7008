import { Mesh } from '@holdfast/testing';
import { ConfigService } from '@nestjs/config';
import { Injectable, Module } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const settings = z.object({
  ORDERS_URL: z.string().default('file:orders.db').describe('Where the orders are.'),
  ORDERS_PASSWORD: z.string().describe('A secret.'),
});
let seen: ConfigService | undefined;

@Injectable()
class Orders {
  constructor(config: ConfigService) {
    seen = config;
  }
}

@Module({ providers: [Orders] })
class AppModule {}

describe('Nest’s ConfigService', () => {
  it('has the settings of the environment as they were checked, the app’s own and the platform’s', async () => {
    await using mesh = await Mesh.open();
    await mesh.start(AppModule, { name: 'orders', settings, env: { ORDERS_PASSWORD: 'hush', GRPC_PORT: '' } });
    expect(seen?.get('ORDERS_URL')).toBe('file:orders.db');
    expect(seen?.get('ORDERS_PASSWORD')).toBe('hush');
    expect(seen?.get('PORT')).toBe(0);
    expect(seen?.get('DRAIN_MS')).toBe(2_000);
  });
});
