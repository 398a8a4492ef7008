import type { Demand } from '@holdfast/config';
import type { Type } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { CLIENT_LIMIT_KEY, clientLimitSpec, EDGE_KEY, edgeSpec, routeLimitKey, routeLimitSpec } from './edge-spec.js';
import { limitOn, type NamedLimit } from './route-limit.js';

/** The limits that `@RateLimit` names on the methods of `classes`. */
export function routeLimitsOf(classes: readonly Type[]): readonly NamedLimit[] {
  return methodsOf(classes).flatMap((method) => limitOn(method) ?? []);
}

/** What an app made of `classes` asks the configuration store for at its edge; nothing where it serves no HTTP. */
export function edgeDemands(classes: readonly Type[]): readonly Demand[] {
  if (!methodsOf(classes).some((method) => Reflect.hasMetadata(METHOD_METADATA, method))) return [];
  const limits = routeLimitsOf(classes).map(({ name, limit }) => ({
    key: routeLimitKey(name),
    schema: routeLimitSpec,
    code: limit,
  }));
  return [{ key: EDGE_KEY, schema: edgeSpec }, { key: CLIENT_LIMIT_KEY, schema: clientLimitSpec }, ...limits];
}

/** The methods of `classes`, inherited ones included. */
export function methodsOf(classes: readonly Type[]): readonly object[] {
  return classes.flatMap(({ prototype }) => {
    const methods: object[] = [];
    for (
      let owner = prototype as object | null;
      owner && owner !== Object.prototype;
      owner = Object.getPrototypeOf(owner) as object | null
    ) {
      for (const { value } of Object.values(Object.getOwnPropertyDescriptors(owner))) {
        if (typeof value === 'function') methods.push(value as object);
      }
    }
    return methods;
  });
}
