import type { DynamicModule, ForwardReference, Provider, Type } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';

type Importable = Type | DynamicModule | Promise<DynamicModule> | ForwardReference;

/** What a module and all that it imports are made of, from metadata alone: nothing is made or started. */
export interface ModuleParts {
  /** Providers that are written as objects. */
  readonly providers: readonly object[];
  /** Classes of providers and controllers. */
  readonly classes: readonly Type[];
}

export async function partsOf(root: Importable): Promise<ModuleParts> {
  const providers: Provider[] = [];
  const controllers: Type[] = [];
  const seen = new Set<unknown>();
  const visit = async (importable: Importable | undefined): Promise<void> => {
    const found = await importable;
    const module = found && 'forwardRef' in found ? (found.forwardRef() as Type | DynamicModule) : found;
    if (!module || seen.has(module)) return;
    seen.add(module);
    if ('module' in module) {
      providers.push(...(module.providers ?? []));
      controllers.push(...((module.controllers ?? []) as Type[]));
      for (const imported of [module.module, ...(module.imports ?? [])]) await visit(imported as Importable);
      return;
    }
    providers.push(...metadata<Provider>(module, MODULE_METADATA.PROVIDERS));
    controllers.push(...metadata<Type>(module, MODULE_METADATA.CONTROLLERS));
    for (const imported of metadata<Importable>(module, MODULE_METADATA.IMPORTS)) await visit(imported);
  };
  await visit(root);
  const written = providers.filter((provider) => typeof provider === 'object');
  const ofProviders = providers.flatMap((provider) => {
    if (typeof provider === 'function') return provider as Type;
    return 'useClass' in provider ? (provider.useClass as Type) : [];
  });
  return { providers: written, classes: [...new Set([...ofProviders, ...controllers])] };
}

function metadata<T>(module: Type, name: string): readonly T[] {
  return (Reflect.getMetadata(name, module) as T[] | undefined) ?? [];
}
