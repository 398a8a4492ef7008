import ts from 'typescript';

/**
 * A root module's text without what it has of other parts than its own: the folder `own`, and contracts of `contract`. So a service
 * that was given clients of others still makes services without them.
 */
export function withoutStrangers(text: string, own: string, contract: string): string {
  const file = ts.createSourceFile('any.ts', text, ts.ScriptTarget.Latest, true);
  const strange = new Set<string>();
  const cuts: [number, number][] = [];
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const from = statement.moduleSpecifier.text;
    const folder = /^\.\/([^/]+)\//.exec(from)?.[1] ?? own;
    const proto = /^@holdfast\/proto\/([^/]+)\//.exec(from)?.[1] ?? contract;
    if (folder === own && proto === contract) continue;
    const bindings = statement.importClause?.namedBindings;
    if (bindings && ts.isNamedImports(bindings)) for (const { name } of bindings.elements) strange.add(name.text);
    cuts.push([statement.getStart(file), statement.end + 1]);
  }
  const mentions = (node: ts.Node): boolean =>
    (ts.isIdentifier(node) && strange.has(node.text)) || (ts.forEachChild(node, mentions) ?? false);
  const visit = (node: ts.Node): void => {
    if (!ts.isArrayLiteralExpression(node)) return ts.forEachChild(node, visit);
    node.elements.forEach((element, index) => {
      if (!mentions(element)) return;
      const next = node.elements[index + 1];
      const previous = node.elements[index - 1];
      if (next) cuts.push([element.getStart(file), next.getStart(file)]);
      else cuts.push([previous?.end ?? element.getFullStart(), element.end]);
    });
  };
  visit(file);
  return cuts.toSorted(([a], [b]) => b - a).reduce((rest, [from, to]) => rest.slice(0, from) + rest.slice(to), text);
}
