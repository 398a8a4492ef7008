import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The page as one document, and the policy under which browsers run nothing but what is in it. */
export interface Page {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

const folder = new URL('../page/', import.meta.url);
const styles = ['live', 'figures', 'controls', 'conditions'];
/** Each after those that it imports from. */
const modules = ['words', 'rows', 'sparkline', 'operator', 'services', 'methods', 'settings', 'timeline', 'live'];

/** Puts the page's parts into one document, so that nothing else is to be fetched: the style, and the modules one after another. */
export function assemblePage(): Page {
  const style = `\n${styles.map((name) => read(`${name}.css`)).join('\n')}`;
  const script = `\n${modules.map((name) => linked(name, read(`${name}.js`))).join('\n')}`;
  const html = read('live.html')
    .replace('<style></style>', () => `<style>${style}</style>`)
    .replace('<script type="module"></script>', () => `<script type="module">${script}</script>`);
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
  return { html, contentSecurityPolicy };
}

/** The module as an expression with a scope of its own: its imports are taken from those before it, its exports are its value. */
function linked(name: string, source: string): string {
  const exported = [...source.matchAll(/^export (?:const|function|class) (\w+)/gm)].map((match) => match[1]!);
  const body = source
    .replace(/^import (\{[^}]*\}) from .\.\/(\w+)\.js.;$/gm, 'const $1 = $2Module;')
    .replace(/^export (?=const|function|class)/gm, '');
  return `const ${name}Module = (() => {\n${body}\nreturn { ${exported.join(', ')} };\n})();`;
}

function read(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8');
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
