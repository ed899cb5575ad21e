import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { stringify } from 'yaml';
import { readKubeConfig, readNamespace } from '../../../src/kube/kube-config.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostler-kubeconfig-'));
});
afterAll(() => rm(folder, { recursive: true }));

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function write(user: object, cluster: object = {}, current = 'here'): Promise<string> {
  const path = join(folder, 'config');
  await writeFile(join(folder, 'secret'), 'from-file\n');
  const file = {
    'current-context': current,
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
  };
  await writeFile(path, stringify(file));
  return path;
}

describe('a kubeconfig', () => {
  it('names further servers in an extension', async () => {
    const servers = ['https://a:6443', 'https://127.0.0.1:6443', 'https://b:6443'];
    const extensions = [{ name: 'other' }, { name: 'hostler.dev/servers', extension: { servers } }];
    const access = await readKubeConfig(await write({}, { extensions }));
    expect(access.servers).toEqual(['https://127.0.0.1:6443', 'https://a:6443', 'https://b:6443']);
  });

  it.each([[{ servers: 'https://a:6443' }], [{ servers: ['a b'] }]])(
    'with the extension %j is refused',
    async (extension) => {
      const extensions = [{ name: 'hostler.dev/servers', extension }];
      await expect(readKubeConfig(await write({}, { extensions }))).rejects.toMatchObject({
        code: 'Invalid',
      });
    },
  );

  it.each([
    ['a token', { token: 'abc' }, 'Bearer abc'],
    ['a token in a file beside it', { tokenFile: 'secret' }, 'Bearer from-file'],
    ['a password', { username: 'me', password: 'pw' }, `Basic ${base64('me:pw')}`],
    ['nothing', {}, undefined],
  ])('gives who to be by %s', async (_, user, authorization) => {
    const access = await readKubeConfig(await write(user));
    expect(access.servers).toEqual(['https://127.0.0.1:6443']);
    expect(access.headers['authorization']).toBe(authorization);
  });

  it('gives certificates, embedded or in files beside it, and how to check the server', async () => {
    const path = await write(
      { 'client-certificate-data': base64('cert'), 'client-key': 'secret' },
      {
        'certificate-authority-data': base64('ca'),
        'tls-server-name': 'api',
        'insecure-skip-tls-verify': true,
      },
    );
    const { tls } = await readKubeConfig(path);
    expect(
      JSON.parse(
        JSON.stringify({ ...tls, ca: String(tls.ca), cert: String(tls.cert), key: String(tls.key) }),
      ),
    ).toEqual({
      ca: 'ca',
      cert: 'cert',
      key: 'from-file\n',
      servername: 'api',
      rejectUnauthorized: false,
    });
  });

  it('asks a plugin where it says so', async () => {
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'fresh' },
    };
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'echo',
      args: [JSON.stringify(credential)],
      interactiveMode: 'Never',
    };
    const access = await readKubeConfig(await write({ exec }));
    expect(access.headers['authorization']).toBe('Bearer fresh');
  });

  it('may be several files: the first that has a name counts, and what is not there is left out', async () => {
    const first = join(folder, 'first');
    const more = {
      contexts: [{ name: 'there', context: { cluster: 'c', user: 'other', namespace: 'shop' } }],
      users: [{ name: 'other', user: { token: 'other' } }],
    };
    await writeFile(first, stringify(more));
    const list = [join(folder, 'none'), first, await write({ token: 'abc' })].join(delimiter);
    expect((await readKubeConfig(list)).headers['authorization']).toBe('Bearer abc');
    const there = await readKubeConfig(list, 'there');
    expect(there).toMatchObject({
      servers: ['https://127.0.0.1:6443'],
      headers: { authorization: 'Bearer other' },
    });
    expect(await readNamespace(list, 'there')).toBe('shop');
    expect(await readNamespace(list)).toBeUndefined();
  });

  it('that is the only one has to be there', async () => {
    await expect(readKubeConfig(join(folder, 'none'))).rejects.toMatchObject({ code: 'Invalid' });
  });

  it.each([
    ['a context that is not there', {}, {}, 'elsewhere', /there is no context "elsewhere"/],
    ['a cluster without a server', {}, { server: 5 }, 'here', /the cluster has no server/],
    ['a key file that is not there', { 'client-key': 'none' }, {}, 'here', /ENOENT/],
  ])('is refused with %s', async (_, user, cluster, current, cause) => {
    await expect(readKubeConfig(await write(user, cluster, current))).rejects.toMatchObject({
      code: 'Invalid',
      cause: { message: expect.stringMatching(cause) as unknown },
    });
  });
});
