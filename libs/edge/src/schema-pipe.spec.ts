import { Code } from '@holdfast/core';
import type { ArgumentMetadata } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SchemaPipe } from './schema-pipe.js';

const pipe = new SchemaPipe();
const give = (value: unknown, schema?: z.ZodType) =>
  pipe.transform(value, { type: 'body', schema } as unknown as ArgumentMetadata);
const name = z.object({ name: z.string().trim().min(1) });

describe('SchemaPipe', () => {
  it('gives the handler what the schema makes of a value, at once', () => {
    expect(give({ name: ' alice ' }, name)).toEqual({ name: 'alice' });
  });

  it('lets a value without a schema through as it is', () => {
    const value = { name: 1 };
    expect(give(value)).toBe(value);
  });

  it('refuses what the schema does, and names the field', () => {
    const refused = {
      code: Code.INVALID_ARGUMENT,
      violations: [{ field: 'name', description: expect.any(String) as string }],
    };
    expect(() => give({ name: ' ' }, name)).toThrow(expect.objectContaining(refused) as Error);
  });

  it('waits for a schema that looks something up', async () => {
    const free = name.refine(({ name: wanted }) => Promise.resolve(wanted !== 'taken'), 'is taken');
    await expect(give({ name: 'free' }, free)).resolves.toEqual({ name: 'free' });
    await expect(give({ name: 'taken' }, free)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });
});
