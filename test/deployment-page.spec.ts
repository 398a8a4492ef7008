import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { imageFacts } from './deployment/image-facts.js';
import { read } from './deployment/manifests.js';
import { unknownSettings } from './deployment/settings.js';

const root = join(import.meta.dirname, '..');
const page = read('docs/deployment.md');
const spans = [...page.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!);

describe('docs/deployment.md', () => {
  it('names files that there are', () => {
    const commands = [...page.matchAll(/(?:--file|--kustomize|--values) (\S+)/g)].map(([, path]) => path!);
    const paths = [...spans.filter((span) => /^(?:k8s|deploy|apps)\/[\w./-]+$/.test(span)), ...commands];
    expect(paths.length).toBeGreaterThan(8);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('names settings that there are', () => {
    const words = spans.filter((span) => /^[A-Z]+(?:_[A-Z]+)+$/.test(span));
    expect(words.length).toBeGreaterThan(4);
    expect(unknownSettings('user-service', words)).toEqual([]);
  });

  it('tells every overlay', () => {
    const rows = [...page.matchAll(/^\| `(\w+)` /gm)].map(([, name]) => name);
    expect(rows.toSorted()).toEqual(['base', ...readdirSync(join(root, 'k8s/overlays'))].toSorted());
  });

  it('has the numbers that are in the manifests', () => {
    const app = parse(read('k8s/base/app.yaml')) as {
      spec: { template: { spec: { terminationGracePeriodSeconds: number; containers: { lifecycle: object }[] } } };
    };
    const { terminationGracePeriodSeconds: grace, containers } = app.spec.template.spec;
    expect(page).toContain(`\`terminationGracePeriodSeconds\` (${grace})`);
    expect(containers[0]!.lifecycle).toEqual({
      preStop: { sleep: { seconds: Number(/for the (\d+) s of its\n`preStop`/.exec(page)?.[1]) } },
    });
    expect(read('k8s/base/kustomization.yaml')).toContain(
      `DRAIN_MS=${Number(/`DRAIN_MS` \((\d+) s\)/.exec(page)?.[1]) * 1_000}`,
    );
    const { PORT, GRPC_PORT, ADMIN_PORT } = imageFacts().env;
    expect(page).toContain(`listens on ${PORT} (HTTP), ${GRPC_PORT} (gRPC) and ${ADMIN_PORT} (health`);
  });
});
