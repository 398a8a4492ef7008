import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the Dockerfile says of the process that it makes an image for. */
export interface ImageFacts {
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workdir: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly health: readonly string[];
}

/** Reads the last stage of the Dockerfile. */
export function imageFacts(): ImageFacts {
  const text = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8').replace(/\\\n/g, ' ');
  const stage = text.slice(text.lastIndexOf('\nFROM '));
  const line = (pattern: RegExp) => pattern.exec(stage)?.[1] ?? '';
  const list = (pattern: RegExp) => JSON.parse(line(pattern)) as string[];
  const pairs = line(/^ENV (.*)$/m)
    .trim()
    .split(/\s+/);
  return {
    env: Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])),
    user: line(/^USER (\d+:\d+)$/m),
    workdir: line(/^WORKDIR (\/\S+)$/m),
    entrypoint: list(/^ENTRYPOINT (\[.*\])$/m),
    command: list(/^CMD (\[.*\])$/m),
    health: list(/^HEALTHCHECK .* CMD (\[.*\])$/m),
  };
}
