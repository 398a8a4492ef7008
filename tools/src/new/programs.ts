import { StartupError } from '@holdfast/core';
import ts from 'typescript';

/** What a module of Nest's gets more. */
export interface ModuleParts {
  /** Names to import, by the module that has them. */
  readonly names: Readonly<Record<string, string>>;
  /** Expressions for the lists of `@Module`. */
  readonly imports?: string;
  readonly controllers?: string;
  readonly providers?: string;
}

const LISTS = ['imports', 'controllers', 'providers'] as const;

/**
 * A root module's text with `parts` in it; unchanged where it has them.
 * @throws StartupError where it has no `@Module({ … })` to put them into
 */
export function withParts(text: string, path: string, parts: ModuleParts): string {
  let result = text;
  for (const list of LISTS) {
    const element = parts[list];
    if (element !== undefined) result = withElement(result, path, list, element);
  }
  for (const [name, from] of Object.entries(parts.names)) result = withImport(result, name, from);
  return result;
}

/** The modules that a program imports, whole packages by the package's name. */
export function packagesOf(text: string): readonly string[] {
  const names = parsed(text).statements.flatMap((one) =>
    ts.isImportDeclaration(one) && ts.isStringLiteral(one.moduleSpecifier) ? one.moduleSpecifier.text : [],
  );
  const packages = names
    .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
    .map((name) => name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/')); // prettier-ignore
  return [...new Set(packages)];
}

/** All names that a program has, of whatever kind. */
export function identifiersOf(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(parsed(text));
  return names;
}

function parsed(text: string): ts.SourceFile {
  return ts.createSourceFile('any.ts', text, ts.ScriptTarget.Latest, true);
}

function withElement(text: string, path: string, list: (typeof LISTS)[number], element: string): string {
  const file = parsed(text);
  const options = moduleOptions(file);
  if (!options) {
    throw new StartupError(
      `${path} has no class with @Module({ … }), to which ${element} must be added: add it by hand.`,
    );
  }
  const property = options.properties.find((one) => one.name?.getText(file) === list);
  if (!property) {
    const at = options.getStart(file) + 1;
    return `${text.slice(0, at)} ${list}: [${element}],${text.slice(at)}`;
  }
  if (!ts.isPropertyAssignment(property) || !ts.isArrayLiteralExpression(property.initializer)) {
    throw new StartupError(
      `In ${path}, ${list} is not written as a list, to which ${element} must be added: add it by hand.`,
    );
  }
  const { elements } = property.initializer;
  if (elements.some((one) => squeezed(one.getText(file)) === squeezed(element))) return text;
  // Behind the last one of its kind, so that controllers and clients stand together, and before what is of another.
  const kin = elements.findLast((one) => ts.isIdentifier(one) || ts.isCallExpression(one)) ?? elements.at(-1);
  const at = kin ? kin.end : property.initializer.getStart(file) + 1;
  return `${text.slice(0, at)}${kin ? ', ' : ''}${element}${kin ? '' : elements.length > 0 ? ', ' : ''}${text.slice(at)}`;
}

function moduleOptions(file: ts.SourceFile): ts.ObjectLiteralExpression | undefined {
  for (const statement of file.statements) {
    if (!ts.isClassDeclaration(statement)) continue;
    for (const { expression } of ts.getDecorators(statement) ?? []) {
      if (!ts.isCallExpression(expression) || expression.expression.getText(file) !== 'Module') continue;
      const [options] = expression.arguments;
      if (options && ts.isObjectLiteralExpression(options)) return options;
    }
  }
  return undefined;
}

function withImport(text: string, name: string, from: string): string {
  const file = parsed(text);
  const declarations = file.statements.filter(ts.isImportDeclaration);
  const known = declarations.find(({ importClause, moduleSpecifier }) => {
    const bindings = importClause?.namedBindings;
    const values = importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword;
    return values && bindings && ts.isNamedImports(bindings) && (moduleSpecifier as ts.StringLiteral).text === from;
  });
  if (known) {
    const { elements } = known.importClause!.namedBindings as ts.NamedImports;
    if (elements.some((one) => one.name.text === name)) return text;
    const at = elements.at(-1)!.end;
    return `${text.slice(0, at)}, ${name}${text.slice(at)}`;
  }
  // Packages by name, and what is beside the file after them.
  const next = declarations.find(({ moduleSpecifier }) => {
    const other = (moduleSpecifier as ts.StringLiteral).text;
    const [mine, theirs] = [from.startsWith('.'), other.startsWith('.')];
    return mine === theirs ? other > from : theirs;
  });
  const at = next ? next.getStart(file) : (declarations.at(-1)?.end ?? -1) + 1;
  return `${text.slice(0, at)}import { ${name} } from '${from}';\n${text.slice(at)}`;
}

function squeezed(text: string): string {
  return text.replaceAll(/\s/g, '');
}
