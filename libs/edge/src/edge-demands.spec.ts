import { Controller, Get, Injectable } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { RateLimit } from './route-limit.js';
import { edgeDemands } from './edge-demands.js';

class Lists {
  @Get()
  @RateLimit('lists.read', { rate: 5 })
  read(): void {}
}

@Controller('orders')
class Orders extends Lists {
  @Get(':id')
  get(): void {}
}

@Injectable()
class Clock {
  tick(): void {}
}

describe('edgeDemands', () => {
  it('names the edge’s own keys and every limit, also of an inherited method', () => {
    expect(edgeDemands([Clock, Orders]).map(({ key, code }) => [key, code])).toEqual([
      ['edge', undefined],
      ['rateLimit.client', undefined],
      ['rateLimit.lists.read', { rate: 5 }],
    ]);
  });

  it('asks for nothing where no HTTP is served', () => expect(edgeDemands([Clock])).toEqual([]));
});
