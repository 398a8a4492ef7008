import { ApiOkResponse, type ApiResponseSchemaHost } from '@nestjs/swagger';
import { z } from 'zod';

/** Describes a method that answers with `streamedAnswer`: a JSON array of `items`, or server-sent events for who asks for them. */
export function ApiStream(items: z.ZodType, description: string) {
  const { $schema: _, ...schema } = z.toJSONSchema(items, { io: 'output' });
  return ApiOkResponse({
    description,
    content: {
      'application/json': { schema: { type: 'array', items: schema as ApiResponseSchemaHost['schema'] } },
      'text/event-stream': { schema: { type: 'string' } },
    },
  });
}
