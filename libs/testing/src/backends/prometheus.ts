import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon, freePort, type Backend } from './backend.js';
import { requireBinary } from './binaries.js';

export interface PrometheusOptions {
  /** What it scrapes every second: `host:port` of each process, by the job that it is to be known as. */
  readonly targets: Readonly<Record<string, readonly string[]>>;
  /** Paths of rule files. @default none */
  readonly rules?: readonly string[];
}

/**
 * A real Prometheus on a free port of 127.0.0.1, with exemplars on, ready to be asked; `url` is that of its HTTP API.
 * @throws Error when there is no `prometheus` program, or it does not serve
 */
export async function withPrometheus({ targets, rules = [] }: PrometheusOptions): Promise<Backend> {
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: rules,
    scrape_configs: Object.entries(targets).map(([job_name, addresses]) => ({
      job_name,
      static_configs: [{ targets: addresses }],
    })),
  };
  return Daemon.start({
    url,
    address,
    binary: requireBinary('prometheus'),
    args: (folder) => {
      const file = join(folder, 'prometheus.yml');
      // JSON is YAML.
      writeFileSync(file, JSON.stringify(config));
      return [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
        '--enable-feature=exemplar-storage',
        '--log.level=warn',
      ];
    },
    ready: async () => (await fetch(`${url}/-/ready`)).ok,
  });
}
