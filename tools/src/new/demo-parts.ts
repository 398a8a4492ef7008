import ts from 'typescript';

/**
 * A living app's text without what only the demo needs: lines that end in `// demo`, and what stands between
 * `// #region demo` and `// #endregion` (in YAML with `#`). Empty where nothing else is in it.
 * @param path of the file, whose ending says what language it is in
 */
export function withoutDemo(text: string, path: string): string {
  let inRegion = false;
  const kept = text.split('\n').filter((line) => {
    if (/^\s*(?:\/\/|#) #region demo$/.test(line)) inRegion = true;
    const keep = !inRegion && !/\s(?:\/\/|#) demo$/.test(line);
    if (/^\s*(?:\/\/|#) #endregion$/.test(line)) inRegion = false;
    return keep;
  });
  const rest = kept.join('\n');
  if (rest === text || rest.trim() === '') return rest.trim() === '' ? '' : rest;
  if (path.endsWith('.proto')) return renumbered(rest);
  return path.endsWith('.ts') ? withoutUnusedImports(rest) : rest;
}

/** A contract that is new has its fields numbered from 1, without gaps. */
function renumbered(text: string): string {
  let next = 1;
  const lines = text.split('\n').map((line) => {
    if (line.startsWith('message ')) next = 1;
    return line.replace(/^( {2}[\w.]+ (?:[\w.]+ )?\w+ = )\d+;/, (_, start: string) => `${start}${next++};`);
  });
  return lines.join('\n');
}

/** The program without imports of names that nothing in it mentions. */
export function withoutUnusedImports(text: string): string {
  const file = ts.createSourceFile('any.ts', text, ts.ScriptTarget.Latest, true);
  const mentioned = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isIdentifier(node)) mentioned.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  const cuts: { readonly from: number; readonly to: number; readonly by: string }[] = [];
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !statement.importClause) continue;
    const { name, namedBindings, phaseModifier } = statement.importClause;
    // `import x from` and `import * as x from` are left alone: there are none in what apps are made from.
    if (name || !namedBindings || !ts.isNamedImports(namedBindings)) continue;
    const used = namedBindings.elements.filter((element) => mentioned.has(element.name.text));
    if (used.length === namedBindings.elements.length) continue;
    const type = phaseModifier === ts.SyntaxKind.TypeKeyword ? 'type ' : '';
    const names = used.map((element) => element.getText(file)).join(', ');
    const by = used.length === 0 ? '' : `import ${type}{ ${names} } from ${statement.moduleSpecifier.getText(file)};\n`;
    cuts.push({ from: statement.getStart(file), to: statement.end + 1, by });
  }
  return cuts.reduceRight((rest, { from, to, by }) => rest.slice(0, from) + by + rest.slice(to), text);
}
