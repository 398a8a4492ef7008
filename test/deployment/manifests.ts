import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '../..');

/** What of a Kubernetes object the tests look at; that the rest is right is the types' affair. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly spec?: unknown;
  readonly data?: Record<string, string>;
}

/** What `kubectl kustomize` makes of a folder below `k8s`. */
export function rendered(folder: string): readonly Manifest[] {
  const text = execFileSync('kubectl', ['kustomize', join(root, 'k8s', folder)], { encoding: 'utf8' });
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** The file with the type of an object's group, version and kind, which is made from its OpenAPI description. */
function typeFileOf({ apiVersion, kind }: Manifest): string {
  const packages = ['kubernetes-models', '@kubernetes-models/istio', '@kubernetes-models/gateway-api'];
  const found = packages
    .map((name) => join(root, 'node_modules', name, apiVersion, `${kind}.d.ts`))
    .find((path) => existsSync(path));
  if (!found) throw new Error(`There is no type for ${apiVersion} ${kind}; add the package that has it to the test.`);
  return found.replace(/\.d\.ts$/, '');
}

/**
 * What is wrong with the objects by the types of their kinds: a field that is missing, of another type, or that nobody knows. The
 * compiler is asked, since it is strict about fields in literals and the packages' own validators are not.
 */
export function typeErrors(manifests: readonly Manifest[]): readonly string[] {
  const path = join(root, 'test', 'rendered-manifests.ts');
  const lines = manifests.flatMap((manifest, index) => [
    `import type { I${manifest.kind} as T${index} } from '${typeFileOf(manifest)}';`,
    `export const o${index}: T${index} = ${JSON.stringify(manifest)};`,
  ]);
  const options: ts.CompilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === path ? ts.createSourceFile(name, lines.join('\n'), ts.ScriptTarget.ES2023) : getSourceFile(name, ...rest);
  const program = ts.createProgram([path], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ start, file, messageText }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line : -1;
    const { kind, metadata } = manifests[Math.floor(line / 2)] ?? { kind: 'unknown', metadata: { name: '' } };
    return `${kind} ${metadata.name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

/** A file of the repository. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}
