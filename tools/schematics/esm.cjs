// Nest's own generators, for a repository whose imports name files: `./orders.service.js`, as Node resolves them. Their
// next release does so itself, but asks for Node 22. CommonJS, since the generator loads its factories with require().
const { chain, externalSchematic } = require('@angular-devkit/schematics');
const { schematics } = require('./collection.json');

const RELATIVE_IMPORT = /(from\s+')(\.{1,2}\/[^']+)(')/g;

/** Adds `.js` to what the files that were written import from beside them. */
function nameFiles(tree) {
  for (const { kind, path } of tree.actions) {
    if (kind === 'd' || !path.endsWith('.ts')) continue;
    const before = tree.readText(path);
    const after = before.replace(RELATIVE_IMPORT, (all, from, name, quote) =>
      /\.(js|json)$/.test(name) ? all : `${from}${name}.js${quote}`,
    );
    if (after !== before) tree.overwrite(path, after);
  }
  return tree;
}

for (const [name, { factory }] of Object.entries(schematics)) {
  if (!factory.startsWith('./esm.cjs#')) continue;
  exports[name] = (options) => chain([externalSchematic('@nestjs/schematics', name, options), nameFiles]);
}
