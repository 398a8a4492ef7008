import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { invalidRequest, type Issue } from './invalid-request.js';

/** What a schema answers, by Standard Schema v1. */
type Outcome = { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

/**
 * Checks each parameter that has a `schema`, as in `@Body({ schema })`, and gives the handler what the schema makes of it. Nest's
 * own `StandardSchemaValidationPipe` first walks every value to take prototype keys out, which Fastify has refused to parse by then,
 * and is asynchronous for schemas that are not; together that costs a request as much as the check.
 */
export class SchemaPipe implements PipeTransform {
  /** @throws ServiceError INVALID_ARGUMENT, naming each field at fault; as a rejection where the schema is asynchronous */
  transform(value: unknown, { schema }: ArgumentMetadata): unknown {
    if (!schema) return value;
    const outcome = schema['~standard'].validate(value) as Outcome | Promise<Outcome>;
    return outcome instanceof Promise ? outcome.then(valueOf) : valueOf(outcome);
  }
}

function valueOf(outcome: Outcome): unknown {
  if (outcome.issues) throw invalidRequest(outcome.issues);
  return outcome.value;
}
