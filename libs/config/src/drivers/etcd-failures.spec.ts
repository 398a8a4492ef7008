import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { backendAvailable, eventually, startEtcdCluster, withEtcd, type Backend } from '@holdfast/testing';
import { Etcd3 } from 'etcd3';
import { afterEach, describe, expect, it } from 'vitest';
import { pause } from '../testing/contract-reading.js';
import { Follower, freeze, Proxy } from '../testing/store-failures.js';
import { ConfigAddress } from './config-address.js';
import { EtcdMember } from './etcd-member.js';
import { readEtcdUrl } from './etcd-url.js';
import { EtcdDriver, type EtcdOptions } from './etcd.js';

const skip = !backendAvailable('etcd');
const signal = new AbortController().signal;
const ends: (() => unknown)[] = [];

/** Ends it after the test, in the reverse order. */
function ending<T>(thing: T, end: (thing: T) => unknown): T {
  ends.unshift(() => end(thing));
  return thing;
}

const open = (url: string, options?: EtcdOptions, password?: string) =>
  ending(new EtcdDriver(readEtcdUrl(new ConfigAddress(url), password), options), (driver) => driver.close());
const follow = (driver: EtcdDriver) => ending(new Follower(driver, 'svc'), (follower) => follower.stop());
const line = async (target: string) => ending(await Proxy.to(target), (proxy) => proxy.cut());
const etcdOn = (...hosts: string[]) =>
  ending(new Etcd3({ hosts: hosts.map((host) => `http://${host}`) }), (client) => client.close());
const start = async (...args: string[]) => ending(await withEtcd({ args }), (etcd) => etcd.stop());
const shows = (follower: Follower, n: number, withinMs = 10_000) =>
  eventually(() => expect(follower.settings).toEqual({ n }), { withinMs, everyMs: 2 });

const onKey = (key: string) => ({ permType: 'Read' as const, key: Buffer.from(key), range_end: Buffer.from('') });
const newKey = (file: string) => `-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${file}`.split(' ');

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
}, 20_000);

describe.skipIf(skip)('an etcd whose line breaks', { timeout: 60_000 }, () => {
  it('loses no last state, even when all that came between was compacted away meanwhile', async () => {
    const etcd = await start();
    const client = etcdOn(etcd.address);
    const proxy = await line(etcd.address);
    const driver = open(`etcd://${proxy.address}/c`);
    const follower = follow(driver);
    await client.put('c/svc').value('n: 0');
    await shows(follower, 0);
    const old = follower.last!;
    await proxy.cut();
    await eventually(() => expect(follower.problems).not.toEqual([]));
    let revision = '';
    for (let n = 1; n <= 5; n++) revision = (await client.put('c/svc').value(`n: ${n}`)).header.revision;
    await client.kv.compact({ revision, physical: true });
    await proxy.mend();
    await shows(follower, 5, 5_000);
    // A cursor of before the compaction is as good as none.
    const before = performance.now();
    const reading = await driver.read('svc', old.cursor, signal);
    expect(reading.entries.get('')).toBe('n: 5');
    expect(performance.now() - before).toBeLessThan(1_000);
    await client.put('c/svc').value('n: 6');
    await shows(follower, 6, 1_000);
  });

  it('loses no last state of 60 breaks with writes going on, and waits again afterwards', async () => {
    const etcd = await start();
    const client = etcdOn(etcd.address);
    const proxy = await line(etcd.address);
    const follower = follow(open(`etcd://${proxy.address}/c`));
    for (let n = 1; n <= 60; n++) {
      await client.put('c/svc').value(`n: ${n}`);
      proxy.drop();
      if (n % 3 === 0) await shows(follower, n, 3_000);
    }
    await shows(follower, 60, 3_000);
    expect(proxy.connections).toBeGreaterThan(20);
    // Afterwards it waits again, and does not only ask again and again.
    const problems = follower.problems.length;
    console.info(`etcd: 60 breaks, ${problems} of them told`);
    await pause(500);
    expect(follower.problems.length).toBe(problems);
  });

  it.each([
    ['an older one', 0, 20],
    ['a newer one', 40, 20],
    ['one of the very same age', 20, 20],
  ])('follows another store in its place: %s', async (_, theirs, ours) => {
    const [one, other] = [await start(), await start()];
    const [first, second] = [etcdOn(one.address), etcdOn(other.address)];
    for (let n = 1; n <= ours; n++) await first.put('c/svc').value(`n: ${n}`);
    for (let n = 1; n < theirs; n++) await second.put('c/other').value(`n: ${n}`);
    await second.put('c/svc').value('n: 1000');
    const proxy = await line(one.address);
    const driver = open(`etcd://${proxy.address}/c`);
    const follower = follow(driver);
    await shows(follower, ours);
    const { cursor } = follower.last!;
    proxy.target = other.address;
    proxy.drop();
    await shows(follower, 1_000, 3_000);
    expect(await driver.write('svc', new Map([['', 'n: 1']]), cursor, signal)).toBe(false);
    await second.put('c/svc').value('n: 1001');
    await shows(follower, 1_001, 1_000);
  });
});

describe.skipIf(skip)('an etcd that is killed', { timeout: 60_000 }, () => {
  it('ends the wait at once, and goes on with what it has on disk', async () => {
    const etcd = await start();
    const client = etcdOn(etcd.address);
    const follower = follow(open(`${etcd.url}/c`));
    await client.put('c/svc').value('n: 1');
    await shows(follower, 1);
    const { cursor } = follower.last!;
    const waiting = open(`${etcd.url}/c`)
      .read('svc', cursor, signal)
      .catch((error: unknown) => String(error));
    const before = performance.now();
    await etcd.kill('SIGKILL');
    expect(await waiting).toMatch(/^Error: etcd at [\d.:]+ cannot be reached \(.*\)\.$/);
    expect(performance.now() - before).toBeLessThan(1_000);
    await etcd.restart();
    await eventually(() =>
      client
        .put('c/svc')
        .value('n: 2')
        .then(() => true),
    );
    await shows(follower, 2, 5_000);
    await client.put('c/svc').value('n: 3');
    await shows(follower, 3, 1_000);
  });

  it('shows soon when it is frozen, and is back soon after', async () => {
    const etcd = await start();
    const client = etcdOn(etcd.address);
    const driver = open(`${etcd.url}/c`);
    const follower = follow(driver);
    await client.put('c/svc').value('n: 1');
    await shows(follower, 1);
    await freeze(etcd);
    const frozenAt = performance.now();
    await expect(driver.read('svc', undefined, signal)).rejects.toThrow('gave no answer in time');
    expect(performance.now() - frozenAt).toBeLessThan(3_000);
    const write = driver.write('svc', new Map([['', 'n: 2']]), follower.last!.cursor, signal);
    await expect(write).rejects.toThrow('gave no answer in time');
    await eventually(() => expect(follower.problems.length).toBeGreaterThan(0), { withinMs: 15_000 });
    console.info(`etcd: frozen, known after ${(performance.now() - frozenAt).toFixed(0)} ms`);
    await etcd.kill('SIGCONT');
    const backAt = performance.now();
    await eventually(() =>
      client
        .put('c/svc')
        .value('n: 3')
        .then(() => true),
    );
    await shows(follower, 3, 5_000);
    console.info(`etcd: followed again ${(performance.now() - backAt).toFixed(0)} ms after it went on`);
  });
});

describe.skipIf(skip)('an etcd cluster', { timeout: 120_000 }, () => {
  it('is followed through the loss of its leader, with writes going on', async () => {
    const cluster = ending(await startEtcdCluster(), (etcds) => etcds.stop());
    const leader = await cluster.leader();
    const others = cluster.members.filter((member) => member !== leader).map(({ address }) => address);
    // The leader comes first: the worst case, since everybody has to move.
    const driver = open(`etcd://${[leader.address, ...others].join(',')}/c`);
    const follower = follow(driver);
    let n = 0;
    const enough = new AbortController();
    // What was on its way to the old leader is lost, and etcd waits 7 s for it; the writer does not.
    const settings = readEtcdUrl(new ConfigAddress(`etcd://${others.join(',')}`), undefined);
    const writers = others.map((host) => ending(new EtcdMember(host, settings), (member) => member.close()));
    const write = (next: number) => {
      const put = { key: Buffer.from('c/svc'), value: Buffer.from(`n: ${next}`) };
      return writers[next % 2]!.txn({ success: [{ request_put: put }] }, 300);
    };
    const writes = (async () => {
      for (let next = 1; !enough.signal.aborted; next++) {
        await write(next).then(
          () => (n = next),
          () => {},
        );
        await pause(10);
      }
    })();
    await eventually(() => expect((follower.settings as { n?: number })?.n).toBeGreaterThan(20));
    await leader.kill('SIGKILL');
    const [killedAt, before] = [performance.now(), n];
    await eventually(() => expect((follower.settings as { n?: number }).n).toBeGreaterThan(before + 5), {
      withinMs: 20_000,
    });
    console.info(`etcd cluster: leader killed; followed again after ${(performance.now() - killedAt).toFixed(0)} ms`);
    await eventually(() => expect(n).toBeGreaterThan(before + 50), { withinMs: 20_000 });
    enough.abort();
    await writes;
    await eventually(() => write(100_000).then(() => true));
    await shows(follower, 100_000, 1_000);
  });

  it('is followed through another member when the one in use is frozen', async () => {
    const cluster = ending(await startEtcdCluster(), (etcds) => etcds.stop());
    const leader = await cluster.leader();
    const victim = cluster.members.find((member) => member !== leader)!;
    const others = cluster.members.filter((member) => member !== victim).map(({ address }) => address);
    const client = etcdOn(...others);
    await eventually(() => open(`etcd://${victim.address}/c`).read('svc', undefined, signal));
    const follower = follow(open(`etcd://${[victim.address, ...others].join(',')}/c`));
    await client.put('c/svc').value('n: 1');
    await shows(follower, 1);
    await freeze(victim);
    const frozenAt = performance.now();
    await client.put('c/svc').value('n: 2');
    await shows(follower, 2, 15_000);
    const ms = performance.now() - frozenAt;
    console.info(`etcd cluster: member frozen; change seen after ${ms.toFixed(0)} ms`);
    // It was really the frozen one that was watched.
    expect(ms).toBeGreaterThan(1_000);
    expect(follower.problems).toEqual([]);
    await client.put('c/svc').value('n: 3');
    await shows(follower, 3, 1_000);
    await victim.kill('SIGCONT');
  });

  it('says when it has no quorum, and is followed again when it has', async () => {
    const cluster = ending(await startEtcdCluster(), (etcds) => etcds.stop());
    const [one, two, three] = cluster.members as [Backend, Backend, Backend];
    const follower = follow(open(`etcd://${one.address}/c`));
    await etcdOn(one.address).put('c/svc').value('n: 1');
    await shows(follower, 1);
    await Promise.all([two.kill('SIGKILL'), three.kill('SIGKILL')]);
    // Nobody is silent here: the member that is left ends the watch by itself.
    await eventually(() => expect(follower.problems.length).toBeGreaterThan(0), { withinMs: 15_000 });
    expect(follower.problems[0]).toMatch(/^etcd at [\d.:]+ (answered: no leader|gave no answer in time)\.$/);
    // What the member itself has is enough to start with.
    expect((await open(`etcd://${one.address}/c`).read('svc', undefined, signal)).entries.get('')).toBe('n: 1');
    await Promise.all([two.restart(), three.restart()]);
    await eventually(
      () =>
        etcdOn(two.address)
          .put('c/svc')
          .value('n: 2')
          .then(() => true),
      { withinMs: 20_000 },
    );
    await shows(follower, 2, 10_000);
  });
});

describe.skipIf(skip)('an etcd with users', { timeout: 60_000 }, () => {
  const secret = 'p@ss/word:1';

  /** With a user `app` that may use `c/`, and a user `root`. */
  const guarded = async (...args: string[]) => {
    const etcd = await start(...args);
    const client = etcdOn(etcd.address);
    await client.auth.userAdd({ name: 'root', password: 'toor' });
    await client.auth.roleAdd({ name: 'root' });
    await client.auth.userGrantRole({ user: 'root', role: 'root' });
    await client.auth.userAdd({ name: 'app', password: secret });
    await client.auth.roleAdd({ name: 'app' });
    const perm = { permType: 'Readwrite' as const, key: Buffer.from('c/'), range_end: Buffer.from('c0') };
    await client.auth.roleGrantPermission({ name: 'app', perm });
    await client.auth.userGrantRole({ user: 'app', role: 'app' });
    await client.auth.authEnable();
    const root = new Etcd3({ hosts: `http://${etcd.address}`, auth: { username: 'root', password: 'toor' } });
    return { etcd, root: ending(root, (one) => one.close()) };
  };

  it('is used with the password of the URL or of the environment, and never shows it', async () => {
    const { etcd, root } = await guarded();
    const inUrl = open(`etcd://app:${encodeURIComponent(secret)}@${etcd.address}/c`);
    const apart = open(`etcd://app@${etcd.address}/c`, {}, secret);
    const { cursor } = await inUrl.read('svc', undefined, signal);
    expect(await inUrl.write('svc', new Map([['', 'n: 1']]), cursor, signal)).toBe(true);
    expect((await apart.read('svc', undefined, signal)).entries.get('')).toBe('n: 1');
    expect(inUrl.name).toBe(`etcd at ${etcd.address}`);
    const follower = follow(apart);
    await shows(follower, 1);
    await root.put('c/svc').value('n: 2');
    await shows(follower, 2, 1_000);

    const problems = await Promise.all(
      [
        open(`etcd://app:wrong${encodeURIComponent(secret)}@${etcd.address}/c`),
        open(`etcd://${etcd.address}/c`),
        open(`etcd://app@${etcd.address}/other`, {}, secret),
      ].map((driver) => driver.read('svc', undefined, signal).catch((error: unknown) => error as Error)),
    );
    expect(problems.map((problem) => (problem as Error).message)).toEqual([
      `etcd at ${etcd.address} answered: authentication failed, invalid user ID or password.`,
      `etcd at ${etcd.address} answered: user name is empty.`,
      `etcd at ${etcd.address} answered: permission denied.`,
    ]);
    expect(inspect(problems, { depth: 10, showHidden: true })).not.toContain(secret);
  });

  it('is logged in to again without a word when the token is too old', async () => {
    const { etcd } = await guarded('--auth-token-ttl=1');
    const [driver, writer] = ['app', 'app'].map((user) => open(`etcd://${user}@${etcd.address}/c`, {}, secret));
    const { cursor } = await driver!.read('svc', undefined, signal);
    await writer!.read('svc', undefined, signal);
    await pause(3_000);
    await driver!.read('svc', undefined, signal);
    expect(await writer!.write('svc', new Map([['', 'n: 1']]), cursor, signal)).toBe(true);
  });

  it('is logged in to again without a word when rights have changed', async () => {
    const folder = ending(mkdtempSync(join(tmpdir(), 'holdfast-jwt-')), (path) => rmSync(path, { recursive: true }));
    const openssl = (command: string) => execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'ignore' });
    openssl('genrsa -out key.pem 2048');
    openssl('rsa -in key.pem -pubout -out public.pem');
    // These tokens say which rights they are about.
    const { etcd, root } = await guarded(
      `--auth-token=jwt,pub-key=${folder}/public.pem,priv-key=${folder}/key.pem,sign-method=RS256,ttl=5m`,
    );
    const driver = open(`etcd://app@${etcd.address}/c`, {}, secret);
    await driver.read('svc', undefined, signal);
    await root.auth.roleGrantPermission({ name: 'app', perm: onKey('d') });
    const { cursor } = await driver.read('svc', undefined, signal);
    const again = new Etcd3({ hosts: `http://${etcd.address}`, auth: { username: 'root', password: 'toor' } });
    await ending(again, (one) => one.close()).auth.roleGrantPermission({ name: 'app', perm: onKey('e') });
    expect(await driver.write('svc', new Map([['', 'n: 1']]), cursor, signal)).toBe(true);
  });

  it('is followed over its restart, and when it stops to ask who comes', async () => {
    const { etcd, root } = await guarded();
    const follower = follow(open(`etcd://app@${etcd.address}/c`, {}, secret));
    await root.put('c/svc').value('n: 1');
    await shows(follower, 1);
    await etcd.restart();
    await eventually(() =>
      root
        .put('c/svc')
        .value('n: 2')
        .then(() => true),
    );
    await shows(follower, 2, 5_000);
    await root.auth.authDisable();
    const plain = etcdOn(etcd.address);
    await plain.put('c/svc').value('n: 3');
    await shows(follower, 3, 5_000);
    expect((await open(`etcd://app:any@${etcd.address}/c`).read('svc', undefined, signal)).entries.size).toBe(1);
  });
});

describe.skipIf(skip)('an etcd behind TLS', { timeout: 30_000 }, () => {
  /** An authority, and two certificates of it for 127.0.0.1. */
  const certificates = () => {
    const folder = ending(mkdtempSync(join(tmpdir(), 'holdfast-tls-')), (path) => rmSync(path, { recursive: true }));
    const file = (name: string) => join(folder, name);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
    openssl('req', '-x509', '-days', '1', ...newKey('ca.key'), '-out', 'ca.pem', '-subj', '/CN=authority');
    for (const name of ['server', 'client']) {
      const san = ['-addext', 'subjectAltName=IP:127.0.0.1'];
      openssl('req', ...newKey(`${name}.key`), '-out', `${name}.csr`, '-subj', `/CN=${name}`, ...san);
      const sign = [
        'x509',
        '-req',
        '-days',
        '1',
        '-in',
        `${name}.csr`,
        '-out',
        `${name}.pem`,
        '-copy_extensions',
        'copy',
      ];
      openssl(...sign, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial');
    }
    return { file, read: (name: string) => readFileSync(file(name)) };
  };

  it('is trusted by the authority that the URL names, and is shown this process’s certificate', async () => {
    const { file, read } = certificates();
    const etcd = await start();
    const tls = { cert: read('server.pem'), key: read('server.key'), ca: read('ca.pem'), ALPNProtocols: ['h2'] };
    const [plain, mutual] = await Promise.all(
      [{ ...tls }, { ...tls, requestCert: true, rejectUnauthorized: true }].map((options) =>
        Proxy.to(etcd.address, options),
      ),
    );
    ending([plain!, mutual!], (proxies) => Promise.all(proxies.map((proxy) => proxy.cut())));
    const own = `cert=${file('client.pem')}&key=${file('client.key')}`;
    const follower = follow(open(`etcds://${mutual!.address}/c?ca=${file('ca.pem')}&${own}`));
    await etcdOn(etcd.address).put('c/svc').value('n: 1');
    await shows(follower, 1);
    const read1 = (url: string) => open(url).read('svc', undefined, signal);
    expect((await read1(`etcds://${plain!.address}/c?ca=${file('ca.pem')}`)).entries.get('')).toBe('n: 1');
    await expect(read1(`etcds://${plain!.address}/c`)).rejects.toThrow(/cannot be reached \(.*certificate.*\)\.$/i);
    await expect(read1(`etcds://${mutual!.address}/c?ca=${file('ca.pem')}`)).rejects.toThrow(
      /cannot be reached \(.*\)\.$/,
    );
    await expect(read1(`etcd://${plain!.address}/c`)).rejects.toThrow(/^etcd at .*\.$/);
  });
});
