import 'reflect-metadata';
import { Inject, Logger } from '@nestjs/common';
import { isObservable, Observable } from 'rxjs';
import { StartupError } from '@holdfast/core';
import type { Fallback } from './fallback.js';
import { observed } from './observed.js';
import { Resilience, type Definition } from './resilience.js';
import type { Work } from './run.js';
import { readOptions, type ResilienceOptions, type ResilienceSpec } from './spec.js';

/** Where Nest puts the container's Resilience on each object that it makes of a class with such methods. */
const RESILIENCE = Symbol('Resilience of the container');

interface Host {
  [RESILIENCE]?: Resilience;
}

/** What a method that returns R answers with in the end. */
type Value<R> = [R] extends [Observable<infer V>] ? V : Awaited<R>;
/** What its fallback may give: with or without the promise. */
type Answer<R> = Value<R> | Promise<Value<R>> | Extract<R, Observable<unknown>>;
/** The method's arguments, and the error. */
type Substitute<A extends unknown[], R> = (...args: [...A, unknown]) => Answer<R>;

/** A class that has the method named `F`, as fallback of one that takes A and returns R. */
type HostOf<F, A extends unknown[], R> = [F] extends [never]
  ? object
  : [F] extends [string]
    ? Readonly<Record<F, Substitute<A, R>>>
    : object;

/** Fails to compile, naming what is wanted, where a function or value does not fit. */
type Fitting<F, A extends unknown[], R> = [F] extends [string | Substitute<A, R> | { readonly value: Value<R> }]
  ? object
  : { readonly fallback: Substitute<A, R> };

/** The answer of a resilient method may have to wait: what it returns must be a promise, or allow for one. */
type Waits<R> = [R] extends [Observable<unknown>] ? R : [Promise<Awaited<R>>] extends [R] ? R : Promise<Awaited<R>>;

export type ResilientDecorator<F> = <This extends HostOf<F, A, R>, A extends unknown[], R>(
  target: This & Fitting<F, A, R>,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<(...args: A) => R> & TypedPropertyDescriptor<(...args: A) => Waits<R>>,
) => void;

let definitions = 0;
const definitionsOfClass = new WeakMap<object, Definition[]>();
const warned = new WeakSet<object>();

/**
 * Calls of the method go through the policies that `options` name, also when the class calls it itself. They are one set for
 * all objects of the class in a container, and an operator knows them by `name`. It works for every class that Nest makes
 * objects of, in any scope, and for its subclasses.
 *
 * The method returns a promise or an Observable. Whether it is the latter must be known before the work begins: write the
 * return type, or the first call will run the method's body once more than it is subscribed to.
 *
 * The method is then rejected with what the work threw, or CircuitOpen, BulkheadFull, RateLimited, DeadlineExceeded,
 * Cancelled, RetriesExhausted. Wrong options fail when the app starts, with a StartupError.
 */
export function Resilient<const F extends Fallback = never>(
  name: string,
  options: ResilienceOptions<F> = {},
): ResilientDecorator<F> {
  return (target: object, key: string | symbol, descriptor: object) => {
    const subject = `@Resilient('${name}') on ${target.constructor.name}.${String(key)}`;
    const { value: original } = descriptor as TypedPropertyDescriptor<Work>;
    if (typeof target === 'function')
      throw new StartupError(`${subject}: it is static; write it on a method of an object.`);
    if (original === undefined) throw new StartupError(`${subject}: it is no method; write it on one.`);
    if (
      typeof options.fallback === 'string' &&
      typeof (target as Record<string, unknown>)[options.fallback] !== 'function'
    ) {
      throw new StartupError(
        `${subject}: fallback names no method of the class; write the name of one, or fallback: { value: '${options.fallback}' }.`,
      );
    }
    const definition: Definition = { index: definitions++, name, subject, options };
    const known = definitionsOfClass.get(target);
    if (known) known.push(definition);
    else definitionsOfClass.set(target, [definition]);
    Inject(Resilience)(target, RESILIENCE);
    const returnType: unknown = Reflect.getMetadata('design:returntype', target, key);
    (descriptor as TypedPropertyDescriptor<Work>).value = likeOriginal(
      original,
      resilientMethod(original, definition, returnType === Observable),
    );
  };
}

/** Every definition on the class that has `prototype`, its superclasses' included. */
export function definitionsOn(prototype: object | null): Definition[] {
  if (prototype === null) return [];
  const inherited = definitionsOn(Object.getPrototypeOf(prototype) as object | null);
  return [...inherited, ...(definitionsOfClass.get(prototype) ?? [])];
}

/** The names that the class with `prototype` has policies under, and their numbers. @throws StartupError where options are wrong */
export function specsOn(prototype: object): readonly { readonly name: string; readonly spec: ResilienceSpec }[] {
  return definitionsOn(prototype).map(({ name, subject, options }) => ({
    name,
    spec: readOptions(subject, options).spec,
  }));
}

/** Gives an object that Nest did not make itself, but a factory of the app, its container's policies. */
export function adopt(instance: object, resilience: Resilience): void {
  (instance as Host)[RESILIENCE] ??= resilience;
}

function resilientMethod(original: Work, definition: Definition, returnsObservable: boolean): Work {
  let returns: 'unknown' | 'promise' | 'observable' = returnsObservable ? 'observable' : 'unknown';
  return function resilient(this: Host, ...args: unknown[]): unknown {
    const resilience = this[RESILIENCE];
    if (!resilience) return unprotected(original, definition, this, args);
    const pipeline = resilience.pipelineOf(definition);
    if (returns === 'promise') return pipeline.call(original, this, args);
    if (returns === 'observable') return observed(pipeline, original, this, args);
    // The first call: what it returns tells the kind.
    let first: unknown;
    const look = (...given: never[]) => (first = Reflect.apply(original, this, given));
    const answer = pipeline.call(look, this, args);
    if (isObservable(first)) {
      returns = 'observable';
      pipeline.uncount();
      return observed(pipeline, original, this, args);
    }
    if (first !== undefined) returns = 'promise';
    return answer;
  };
}

/** An object that was made by hand, as in a test of its class alone, has no policies; once, a line says so. */
function unprotected(original: Work, { subject }: Definition, self: object, args: unknown[]): unknown {
  const prototype = Object.getPrototypeOf(self) as object;
  if (!warned.has(prototype)) {
    warned.add(prototype);
    new Logger('Resilience').warn(`${subject}: the object was not made by Nest, so its calls go without policies.`);
  }
  return Reflect.apply(original, self, args);
}

/** Gives `method` the name, length and metadata of the one that it stands for: other decorators look at these. */
function likeOriginal(original: Work, method: Work): Work {
  Object.defineProperty(method, 'name', { value: original.name, configurable: true });
  Object.defineProperty(method, 'length', { value: original.length, configurable: true });
  for (const key of Reflect.getOwnMetadataKeys(original)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, original), method);
  }
  return method;
}
