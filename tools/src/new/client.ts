import { StartupError } from '@holdfast/core';
import { admitting, reaching } from './manifests.js';
import { withDependencies, withLockedApp, withReferences } from './packages.js';
import { packagesOf, withParts, type ModuleParts } from './programs.js';
import { checkNames, contractOf, copyFiles, living, programsAboutUsers, serviceOf } from './source.js';
import type { Draft } from './tree.js';
import type { Noun } from './words.js';

/**
 * A client of the service that is about `noun` in the app `caller`: the class with its policies and specs, wired, and the way from
 * one to the other through the network policies.
 * @throws StartupError where there is no such app or no such service
 */
export function addClient(draft: Draft, noun: Noun, caller: string): void {
  checkNames(draft, noun);
  const app = serviceOf(noun);
  checkApps(draft, noun, caller);
  const client = `${noun.many.pascal}Client`;
  addFiles(draft, noun, caller, /\.client(?:\.spec)?\.ts$/);
  addToModule(draft, caller, {
    names: {
      RpcModule: '@holdfast/rpc',
      [`${noun.one.pascal}ServiceDefinition`]: packageOf(noun),
      [client]: `./${noun.many.kebab}/${noun.many.kebab}.client.js`,
    },
    imports: `RpcModule.client(${noun.one.pascal}ServiceDefinition, { target: '${app}' })`,
    providers: client,
  });
  draft.edit(`k8s/base/${app}/network.yaml`, (text) => admitting(text, caller));
  draft.edit(`k8s/base/${caller}/network.yaml`, (text) => reaching(text, app));
}

/**
 * A route of the gateway to the service that is about `noun`: the client, and a controller with its requests, answers and specs.
 * @throws StartupError where there is no such service
 */
export function addRoute(draft: Draft, noun: Noun): void {
  addClient(draft, noun, 'gateway');
  addFiles(draft, noun, 'gateway', /./);
  const { kebab, pascal } = noun.many;
  addToModule(draft, 'gateway', {
    names: { [`${pascal}Controller`]: `./${kebab}/${kebab}.controller.js` },
    controllers: `${pascal}Controller`,
  });
}

function checkApps(draft: Draft, noun: Noun, caller: string): void {
  const app = serviceOf(noun);
  if (draft.read(`apps/${caller}/src/app.module.ts`) === undefined) {
    const apps = new Set(draft.list('apps').map((path) => path.split('/')[1]));
    throw new StartupError(`There is no app "${caller}"; there are ${[...apps].toSorted().join(', ')}.`);
  }
  if (draft.read(`apps/${app}/src/main.ts`) === undefined || draft.read(contractOf(noun)) === undefined) {
    throw new StartupError(
      `There is no ${app} to call yet: make it first, with npm run new -- service ${noun.many.kebab}.`,
    );
  }
  if (caller === app) throw new StartupError(`${app} has no need of a client of itself: name another app with --in.`);
}

function addFiles(draft: Draft, noun: Noun, app: string, wanted: RegExp): void {
  const paths = programsAboutUsers(draft).filter((path) => path.startsWith('apps/gateway/') && wanted.test(path));
  copyFiles(draft, noun, paths, (path) => path.replace('apps/gateway/', `apps/${app}/`));
}

/** Wires it, and lets the app's package have what it then imports. */
function addToModule(draft: Draft, app: string, parts: ModuleParts): void {
  const module = `apps/${app}/src/app.module.ts`;
  draft.edit(module, (text) => withParts(text, module, parts));
  const programs = draft.list(`apps/${app}/src`).filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'));
  const imported = [...new Set(programs.flatMap((path) => packagesOf(living(draft, path))))];
  const manifest = `apps/${app}/package.json`;
  const gateway = JSON.parse(living(draft, 'apps/gateway/package.json')) as { dependencies: Record<string, string> };
  draft.edit(manifest, (text) => withDependencies(text, imported, (name) => gateway.dependencies[name] ?? '*'));
  const own = imported.filter((name) => name.startsWith('@holdfast/') && name !== `@holdfast/${app}`);
  const folders = own.map((name) => name.slice('@holdfast/'.length)).map((name) => (name === 'proto' ? '../../proto' : `../../libs/${name}`)); // prettier-ignore
  draft.edit(`apps/${app}/tsconfig.json`, (text) => withReferences(text, folders));
  draft.edit('package-lock.json', (text) => withLockedApp(text, `apps/${app}`, living(draft, manifest)));
}

function packageOf({ one }: Noun): string {
  return `@holdfast/proto/${one.snake}/v1/${one.snake}`;
}
