import { StartupError } from '@holdfast/core';
import { unconnected, withCopy, withDocuments } from './manifests.js';
import { withCopiedLines, withLockedApp } from './packages.js';
import { withoutStrangers } from './strangers.js';
import { about, checkNames, contractOf, copyFiles, isOfApp, living, serviceOf, SOURCE_APP } from './source.js';
import type { Draft } from './tree.js';
import type { Noun } from './words.js';

/**
 * A service of its own: the contract, the app with its table and its specs, and its place in the build and in every deployment.
 * @throws StartupError where the name is taken
 */
export function addService(draft: Draft, noun: Noun): void {
  checkNames(draft, noun);
  const app = serviceOf(noun);
  const contract = draft.read(contractOf(noun));
  if (contract !== undefined && !contract.includes(`service ${noun.one.pascal}Service {`)) {
    throw new StartupError(
      `${contractOf(noun)} is there already and has no ${noun.one.pascal}Service: choose another name.`,
    );
  }
  copyFiles(draft, noun, ['proto/user/v1/user.proto']);
  const source = `apps/${SOURCE_APP}`;
  const programs = draft.list(`${source}/src`).filter((path) => isOfApp(path) && !path.endsWith('app.module.ts'));
  copyFiles(draft, noun, [...programs, `${source}/package.json`, `${source}/tsconfig.json`]);
  const module = `${source}/src/app.module.ts`;
  draft.create(
    `apps/${app}/src/app.module.ts`,
    about(noun, module, withoutStrangers(living(draft, module), 'users', 'user')),
  );
  intoBuild(draft, noun, app);
  intoKubernetes(draft, noun, app);
  intoCompose(draft, noun, app);
  draft.edit('deploy/observability/prometheus/targets.yaml', (text) => withTargets(text, app));
}

function intoBuild(draft: Draft, noun: Noun, app: string): void {
  const change = (path: string) => (lines: string) => about(noun, path, lines);
  for (const [path, first] of [
    ['nest-cli.json', /^ {4}"user-service": \{$/],
    ['tsconfig.json', /"path": "apps\/user-service"/],
  ] as const) {
    const there = `"apps/${app}"`;
    draft.edit(path, (text) => (text.includes(there) ? text : withCopiedLines(text, first, change(path))));
  }
  const manifest = living(draft, `apps/${app}/package.json`);
  draft.edit('package-lock.json', (text) => withLockedApp(text, `apps/${app}`, manifest));
}

function intoKubernetes(draft: Draft, noun: Noun, app: string): void {
  const folder = `k8s/base/${SOURCE_APP}`;
  const policy = `${folder}/network.yaml`;
  copyFiles(draft, noun, draft.list(folder).filter((path) => path !== policy)); // prettier-ignore
  draft.create(`k8s/base/${app}/network.yaml`, about(noun, policy, unconnected(living(draft, policy))));
  const base = 'k8s/base/kustomization.yaml';
  const named = (name: string) => (value: unknown) => value === name || nameIn(value) === name;
  for (const list of ['resources', 'images']) {
    draft.edit(base, (text) =>
      withCopy(text, base, [list, named(SOURCE_APP)], named(app), (entry) => about(noun, base, entry)),
    );
  }
  const istio = 'k8s/overlays/istio/kustomization.yaml';
  const targets = (name: string) => (value: unknown) => nameIn((value as { target?: unknown }).target) === name;
  draft.edit(istio, (text) =>
    withCopy(text, istio, ['patches', targets(SOURCE_APP)], targets(app), (entry) => about(noun, istio, entry)),
  );
  draft.edit('k8s/overlays/istio/mesh.yaml', (text) =>
    withDocuments(text, metadataName(SOURCE_APP), metadataName(app), (part) => about(noun, 'mesh.yaml', part)),
  );
}

const metadataName = (name: string) => new RegExp(`^metadata: \\{ name: ${name} \\}$`, 'm');
const nameIn = (value: unknown) => (value as { readonly name?: unknown } | undefined)?.name;

function intoCompose(draft: Draft, noun: Noun, app: string): void {
  const file = 'deploy/compose.yaml';
  const { kebab } = noun.many;
  for (const [list, from, to] of [
    ['services', SOURCE_APP, app],
    ['services', 'users-folder', `${kebab}-folder`],
    ['volumes', 'users', kebab],
  ] as const) {
    draft.edit(file, (text) => withCopy(text, file, [list, from], to, (entry) => about(noun, file, entry)));
  }
}

/** The ports that Prometheus asks at: as many as the source has, and the next that are free. */
function withTargets(text: string, app: string): string {
  if (new RegExp(`job: ${app} `).test(text)) return text;
  const source = new RegExp(`^- targets: \\[([^\\]]*)\\]\\n  labels: \\{ job: ${SOURCE_APP} \\}\\n`, 'm').exec(text);
  const count = source?.[1]?.split(',').length ?? 1;
  const next = Math.max(9_463, ...[...text.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))) + 1;
  const targets = Array.from({ length: count }, (_, index) => `'127.0.0.1:${next + index}'`).join(', ');
  return `${text.trimEnd()}\n- targets: [${targets}]\n  labels: { job: ${app} }\n`;
}
