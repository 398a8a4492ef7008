import { Code, ServiceError, type FieldViolation } from '@holdfast/core';

/** What a schema finds wrong, by Standard Schema v1. */
export interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A request can be wrong in as many places as it has bytes; the answer names no more than these. */
const maxViolations = 20;

/** What a request that its schema refuses is answered with: INVALID_ARGUMENT, and each field at fault. */
export function invalidRequest(issues: readonly Issue[]): ServiceError {
  const violations = issues.flatMap(violationsOf).slice(0, maxViolations);
  return new ServiceError(Code.INVALID_ARGUMENT, 'The request is not as it must be.', { violations });
}

function violationsOf(issue: Issue): FieldViolation[] {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  // Zod reports fields that nobody asked for at the object that has them.
  const unknown = 'keys' in issue && Array.isArray(issue.keys) ? issue.keys.slice(0, maxViolations) : undefined;
  if (unknown) {
    return unknown.map((key) => ({ field: [...path, key].join('.'), description: 'is not a field of this request' }));
  }
  return [{ field: path.join('.') || 'body', description: issue.message }];
}
