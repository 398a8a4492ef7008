// What `npm run new` makes, for Nest's generators: `nest g service-app orders`. They plan with the same code, and write for themselves.
const { SchematicsException } = require('@angular-devkit/schematics');

/** The generator's own tree, as ours looks at it. */
function treeOf(tree) {
  const list = (folder) => {
    const directory = tree.getDir(folder);
    const below = directory.subdirs.filter((name) => !['node_modules', 'dist', 'gen'].includes(name));
    return [
      ...directory.subfiles.map((name) => `${folder}/${name}`),
      ...below.flatMap((name) => list(`${folder}/${name}`)),
    ];
  };
  return { read: (path) => (tree.exists(path) ? tree.readText(path) : undefined), list };
}

/** Which app gets a client, by Nest's own `--project`. */
const appIn = (sourceRoot) => /^apps\/([^/]+)/.exec(sourceRoot ?? '')?.[1];

function factory(what) {
  return ({ name, sourceRoot }) =>
    async (tree, context) => {
      const { planOf } = await import('../dist/new/plan.js').catch(() => {
        throw new SchematicsException('The generators are not built: npm run build, and then once more.');
      });
      const { changes } = await planOf({ what, name, in: appIn(sourceRoot) }, treeOf(tree)).catch((error) => {
        throw error.name === 'StartupError' ? new SchematicsException(error.message) : error;
      });
      for (const { path, before, after } of changes) {
        if (before === undefined) tree.create(path, after);
        else tree.overwrite(path, after);
      }
      if (changes.length === 0) context.logger.info('Everything is there already; nothing was changed.');
      else context.logger.info('Next: npm install && npm run proto && npm run docs, which npm run new does by itself.');
    };
}

exports.serviceApp = factory('service');
exports.client = factory('client');
exports.gatewayRoute = factory('gateway-route');
