import { expect } from '@jest/globals';
import { copyFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { localPaths } from '../../../src/config/local.ts';
import { container, IMAGE, type Trial } from '../scene.ts';

export function describeBadInput(trial: Trial['together']): void {
  trial.it('are refused at apply when Incus would refuse the name', async (scene) => {
    const refused = async (name: string): Promise<string> => {
      const file = await scene.cluster.kubectl.file(
        `${scene.namespace}.json`,
        JSON.stringify(container(name)),
      );
      return scene.refused('apply', '-f', file);
    };
    expect(await refused('1web')).toMatch(/metadata\.name: Invalid value: "1web": .*\^\[a-z\]/);
    expect(await refused('web.a')).toMatch(/metadata\.name: Invalid value: "web\.a"/);
    expect(await refused('a--b')).toMatch(/metadata\.name: Invalid value: "a--b"/);
    expect(await refused('x'.repeat(60))).toMatch(
      /metadata\.name: Invalid value: .*must be at most 5\d characters in namespace t/,
    );
    expect(await scene.kubectl('get', 'containers', '-o', 'name')).toBe('');
  });

  trial.it('are refused at apply with the path of the wrong field', async (scene) => {
    const refused = async (spec: object): Promise<string> => {
      const object = JSON.stringify(container('wrong', spec));
      return scene.refused(
        'create',
        '-f',
        await scene.cluster.kubectl.file(`${scene.namespace}.json`, object),
      );
    };
    expect(await refused({ power: 'Sideways' })).toMatch(/spec\.power: Unsupported value: "Sideways"/);
    expect(await refused({ resources: { memory: '64 Mb' } })).toContain('spec.resources.memory');
    expect(await refused({ resources: { memory: '1' } })).toMatch(/spec\.resources\.memory: .*at least 1Mi/);
    expect(await refused({ stopTimeout: 'soon' })).toContain('spec.stopTimeout');
    expect(await refused({ image: 'debian' })).toContain('spec.image');
    expect(await refused({ colour: 'red' })).toMatch(/unknown field "spec\.colour"/);
  });

  trial.it('say that the image file is missing, and run once it is there', async (scene) => {
    const { images, image } = localPaths(scene.cluster.stateDir);
    const late = join(images, `${scene.namespace}.tar.gz`);
    scene.later(() => rm(late, { force: true }));
    await scene.apply(
      container('late', { image: `file://${dirname(IMAGE.slice(7))}/${scene.namespace}.tar.gz` }),
    );
    const waiting = await scene.untilSays('late', 'Ready', 'ImageNotFound', new RegExp(scene.namespace));
    expect(waiting.status?.phase).toBe('Failed');
    await scene.untilEvent('late', 'ImageNotFound', new RegExp(scene.namespace));
    expect(await scene.hasInstance('late')).toBe(false);
    await copyFile(image, late);
    await scene.untilReady('late');
  });

  trial.it("show the daemon's own message, and run once the cause is gone", async (scene) => {
    await scene.apply(container('lost', { networks: [{ name: 'eth0', network: 'nowhere' }] }));
    await scene.untilSays('lost', 'Ready', 'FailedCreate', /nowhere.*not found/i);
    await scene.untilEvent('lost', 'FailedCreate', /nowhere/);
    await scene.apply(container('lost', { networks: [] }));
    await scene.untilReady('lost');
    expect((await scene.instance('lost')).devices).not.toHaveProperty('eth0');
  });

  trial.it('run on when the daemon refuses a change, and say why', async (scene) => {
    await scene.apply(container('stubborn', { config: { 'limits.processes': '50' } }));
    await scene.untilReady('stubborn');
    const { pid } = await scene.instance('stubborn');
    await scene.apply(container('stubborn', { config: { 'limits.processes': 'many' } }));
    const failed = await scene.untilSays('stubborn', 'Ready', 'FailedUpdate', /many/);
    expect(failed.status?.phase).toBe('Running');
    expect((await scene.instance('stubborn')).pid).toBe(pid);
    await scene.apply(container('stubborn', { config: { 'limits.processes': '60' } }));
    await scene.untilReady('stubborn');
    expect((await scene.instance('stubborn')).config['limits.processes']).toBe('60');
  });

  trial.it("never touch an instance of the same name that is not Hostler's", async (scene) => {
    const host = scene.cluster.host('host-1');
    const name = `mine--${scene.namespace}`;
    const path = `/1.0/instances/${name}`;
    const root = { type: 'disk', path: '/', pool: 'default' };
    const body = { name, source: { type: 'none' }, devices: { root }, config: { 'user.owner': 'somebody' } };
    await host.ask('POST', '/1.0/instances', body);
    scene.later(() => host.ask('DELETE', path));
    const before = await host.ask('GET', path);

    await scene.apply(container('mine', { placement: { nodeName: 'host-1' } }));
    await scene.untilSays(
      'mine',
      'Ready',
      'NameTaken',
      new RegExp(`${name} already, which is not Hostler's`),
    );
    await scene.kubectl('delete', 'container', 'mine', '--timeout=20s');
    expect(await host.ask('GET', path)).toEqual(before);
  });
}
