import { afterEach, describe, expect, it } from '@jest/globals';
import type { PluginContext } from '../../../../src/cmd/plugin/access.ts';
import { cordon } from '../../../../src/cmd/plugin/cordon.ts';
import { drain, restore } from '../../../../src/cmd/plugin/drain.ts';
import { migrate } from '../../../../src/cmd/plugin/migrate.ts';
import { barOf, formatMs, formatSize } from '../../../../src/cmd/plugin/progress-line.ts';
import { type Migration, migrationKind } from '../../../../src/crds/migration.ts';
import type { KubeObject } from '../../../../src/crds/object.ts';
import { nodeKind } from '../../../../src/crds/node.ts';
import { node, storagePool } from '../../../support/cluster-objects.ts';
import { type DrainTrial, startDrains } from '../../../support/drain-trial.ts';
import { running } from '../../../support/relocation.ts';

let trial: DrainTrial;
let written = '';
let complained = '';
let interrupted: AbortController;
const start = async (...objects: KubeObject[]): Promise<PluginContext> => {
  [written, complained, interrupted] = ['', '', new AbortController()];
  trial = await startDrains(storagePool(), node('a'), node('b'), ...objects);
  return {
    store: trial.store,
    clock: trial.clock,
    output: { write: (text: string) => (written += text) },
    errors: { write: (text: string) => (complained += text) },
    signal: interrupted.signal,
  };
};
afterEach(async () => {
  interrupted.abort();
  await trial.stop();
});

/** Lets `ms` go by while the command runs. */
async function during(command: Promise<number>, ms: number): Promise<number | undefined> {
  let code: number | undefined;
  void command.then((ended) => (code = ended));
  await trial.settle(ms);
  return code;
}

describe('kubectl hostler cordon', () => {
  it('keeps new containers away, says so, and does it once', async () => {
    const context = await start();
    expect(await cordon(context, ['a', 'b'], true)).toBe(0);
    expect(trial.node('a').spec.unschedulable).toBe(true);
    expect(await cordon(context, ['a'], true)).toBe(0);
    expect(await cordon(context, ['a'], false)).toBe(0);
    expect(trial.node('a').spec.unschedulable).toBe(false);
    expect(written).toBe('node/a cordoned\nnode/b cordoned\nnode/a already cordoned\nnode/a uncordoned\n');
  });

  it('touches none where one is not there, and says which ones are', async () => {
    const context = await start();
    await expect(cordon(context, ['a', 'z'], true)).rejects.toMatchObject({
      code: 'NotFound',
      message: 'There is no node z: there are a, b',
    });
    expect(trial.node('a').spec.unschedulable).toBeUndefined();
  });
});

describe('kubectl hostler drain', () => {
  it('waits until the node is empty, a line for each change, a table at the end', async () => {
    const context = await start(running('x', 'a'), running('y', 'a'));
    const command = drain(context, 'a', { mode: 'cold', wait: true });
    expect(await during(command, 1_000)).toBeUndefined();
    expect(trial.active().map(({ spec }) => spec.mode)).toEqual(['Cold', 'Cold']);
    await trial.succeedAll();
    expect(await during(command, 1_000)).toBe(0);
    expect(written.split('\n')).toEqual([
      'node/a in maintenance: it is emptied',
      'a: 0 of 2 moved, 2 moving',
      expect.stringMatching(/^a: [12] of 2 moved/),
      ...(written.includes('a: 1 of 2') ? ['a: 2 of 2 moved'] : []),
      'CONTAINER   RESULT      TO   MODE   PAUSE   TOOK',
      'default/x   Succeeded   b',
      'default/y   Succeeded   b',
      expect.stringMatching(/^node\/a drained in \d+\.\d s$/),
      '',
    ]);
  });

  it('gives up when nothing moves any more, and lists why', async () => {
    const context = await start(running('x', 'a', { spec: { migration: { policy: 'Never' } } }));
    const command = drain(context, 'a', { wait: true });
    expect(await during(command, 2_000)).toBeUndefined();
    expect(await during(command, 4_000)).toBe(1);
    expect(written).toContain('default/x   blocked: PolicyNever: spec.migration.policy is Never\n');
    expect(complained).toMatch(/--stop-unmovable.*The drain goes on.*'kubectl hostler restore a' ends/);
    expect(trial.node('a').spec.maintenance).toBe('Drain');
  });

  it('stops what cannot move when told so', async () => {
    const context = await start(running('x', 'a', { spec: { migration: { policy: 'Never' } } }));
    const command = drain(context, 'a', { stopUnmovable: true, wait: true });
    await during(command, 1_000);
    await trial.patchStatus('x', { phase: 'Stopped', conditions: [] });
    expect(await during(command, 1_000)).toBe(0);
    expect(written).toContain('default/x   stopped\n');
  });

  it('waits no longer than it was told, and with a time-out also for what is blocked', async () => {
    const context = await start(running('x', 'a', { spec: { migration: { policy: 'Never' } } }));
    const command = drain(context, 'a', { timeout: 20_000, wait: true });
    expect(await during(command, 15_000)).toBeUndefined();
    expect(await during(command, 6_000)).toBe(3);
    expect(complained).toMatch(/^Not done after 20\.0 s\. The drain goes on/);
  });

  it('says of what the failover has placed elsewhere meanwhile that it is recovered', async () => {
    const context = await start(running('x', 'a'));
    const command = drain(context, 'a', { wait: true });
    await during(command, 500);
    const [{ metadata } = { metadata: { name: '' } }] = trial.active();
    const body = { status: { phase: 'Failed', target: 'b' } };
    await trial.store.mergePatch(
      migrationKind,
      { namespace: 'default', name: metadata.name },
      { body, subresource: 'status' },
      context.signal,
    );
    await trial.patchStatus('x', { nodeName: 'b' });
    expect(await during(command, 2_000)).toBe(0);
    expect(written).toMatch(/\ndefault\/x {3}recovered {3}b *\n/);
  });

  it('lists what waits for its turn as well when the time is up', async () => {
    const context = await start(...['v', 'w', 'x'].map((name) => running(name, 'a')));
    expect(await during(drain(context, 'a', { timeout: 2_000, wait: true }), 3_000)).toBe(3);
    expect(written.match(/default\/\w +\w+/g)).toEqual([
      expect.stringMatching(/v +moving/),
      expect.stringMatching(/w +moving/),
      expect.stringMatching(/x +waiting/),
    ]);
  });

  it('can be left alone: the drain goes on, and it is said how to end it', async () => {
    const context = await start(running('x', 'a'));
    const command = drain(context, 'a', { wait: true });
    await during(command, 1_000);
    interrupted.abort();
    expect(await during(command, 100)).toBe(130);
    expect(complained).toMatch(/Interrupted\. The drain of a goes on.*'kubectl hostler restore a' ends/);
    expect(await trial.succeedAll()).toBe(1);
    expect(trial.node('a').status?.drain?.phase).toBe('Drained');
  });

  it('outlives an API that is away for a while', async () => {
    const context = await start(running('x', 'a'));
    const command = drain(context, 'a', { wait: true });
    await during(command, 500);
    trial.store.faults.failNext('Unavailable', { verb: 'get', resource: 'nodes', times: 20 });
    expect(await during(command, 6_000)).toBeUndefined();
    expect(complained).toBe('The API does not answer: injected: Unavailable\n');
    await trial.succeedAll();
    expect(await during(command, 1_000)).toBe(0);
  });

  it('asks for what is not there in vain', async () => {
    const context = await start();
    await expect(drain(context, 'z', { wait: true })).rejects.toMatchObject({ code: 'NotFound' });
  });
});

describe('kubectl hostler restore', () => {
  it('brings back what was moved away', async () => {
    const context = await start(running('x', 'a'));
    await drain(context, 'a', { wait: false });
    await trial.settle();
    await trial.succeedAll();
    const command = restore(context, 'a', { wait: true });
    await during(command, 1_000);
    await trial.succeedAll();
    expect(await during(command, 1_000)).toBe(0);
    expect(trial.container('x').status?.nodeName).toBe('a');
    expect(written).toMatch(/a: 1 of 1 back\n[^]*default\/x {3}Succeeded {3}a\nnode\/a restored in /);
    expect(await restore(context, 'a', { wait: true })).toBe(0);
    expect(written).toMatch(/node\/a is not in maintenance\n$/);
  });

  it('leaves it where it is when told so', async () => {
    const context = await start(running('x', 'a'));
    await drain(context, 'a', { wait: false });
    await trial.settle();
    await trial.succeedAll();
    expect(await during(restore(context, 'a', { skip: true, wait: true }), 2_000)).toBe(0);
    expect(trial.container('x').status?.nodeName).toBe('b');
  });
});

describe('what a maintenance was told', () => {
  it.each([
    ['Auto', false],
    ['Skip', true],
  ])('is gone after it, restore %s: the next one stops nothing that it is not told to', async (_, skip) => {
    const context = await start(running('x', 'a'));
    await drain(context, 'a', { mode: 'cold', stopUnmovable: true, wait: false });
    expect(trial.node('a').spec.drain).toMatchObject({ mode: 'Cold', unmovable: 'Stop' });
    await trial.settle();
    await trial.succeedAll();
    const command = restore(context, 'a', { skip, wait: true });
    await during(command, 1_000);
    await trial.succeedAll();
    expect(await during(command, 2_000)).toBe(0);
    expect(trial.node('a').spec.drain).toBeUndefined();
    expect(trial.container('x').status?.nodeName).toBe(skip ? 'b' : 'a');
  });
});

describe('kubectl hostler migrate', () => {
  const patch = async (status: object): Promise<void> => {
    const [migration] = trial.store.all<Migration>(migrationKind);
    const { namespace = '', name = '' } = migration?.metadata ?? {};
    await trial.store.mergePatch(
      migrationKind,
      { namespace, name },
      { body: { status }, subresource: 'status' },
      new AbortController().signal,
    );
  };

  it('makes a Migration with what the flags say', async () => {
    const context = await start(running('x', 'a'));
    const flags = { to: 'b', live: true, maxPause: '2s', deadline: '5m', bandwidth: '50Mi' };
    expect(await migrate(context, 'default', 'x', flags)).toBe(0);
    expect(trial.store.all<Migration>(migrationKind)).toMatchObject([
      {
        metadata: {
          ownerReferences: [{ kind: 'Container', name: 'x', uid: trial.container('x').metadata.uid }],
        },
        spec: {
          container: 'x',
          targetNode: 'b',
          mode: 'Live',
          maxPause: '2s',
          deadline: '5m',
          bandwidth: '50Mi',
        },
      },
    ]);
    expect(written).toMatch(/^migration\/x-\w+ created\n$/);
  });

  it('shows the phases, and the pause at the end', async () => {
    const context = await start(running('x', 'a'));
    const command = migrate(context, 'default', 'x', { to: 'b', watch: true });
    await during(command, 500);
    await patch({
      phase: 'Copying',
      source: 'a',
      target: 'b',
      mode: 'Live',
      progress: { bytes: 10, percent: 5 },
    });
    await during(command, 500);
    await patch({ phase: 'Copying', progress: { bytes: 20, percent: 10 } });
    await during(command, 500);
    await patch({ phase: 'Succeeded', passes: 2, pauseMs: 812 });
    expect(await during(command, 500)).toBe(0);
    const [, ...lines] = written.trimEnd().split('\n');
    expect(lines).toEqual([
      'Pending',
      'Copying a to b, live',
      expect.stringMatching(
        /^migration\/x-\w+ Succeeded \(a to b, live, 2 passes, pause 812 ms, took \d\.\d s\)$/,
      ),
    ]);
  });

  it('draws how far a pass is on a terminal while there is one, and no longer', async () => {
    const context = await start(running('x', 'a'));
    const output = { isTTY: true, write: (text: string) => (written += text) };
    const command = migrate({ ...context, output }, 'default', 'x', { to: 'b', watch: true });
    const progress = { bytes: 2_048, percent: 50, rate: 1_024 };
    await during(command, 500);
    await patch({ phase: 'Copying', source: 'a', target: 'b', mode: 'Cold', passes: 0, progress });
    await during(command, 500);
    expect(written).toContain('[############............] Copying a to b, cold, pass 1: 2.0 KiB, 1.0 KiB/s');
    written = '';
    await patch({ phase: 'SwitchingOver', passes: 1 });
    await during(command, 500);
    expect(written.split('\r').at(-1)).toBe('\u001B[KSwitchingOver a to b, cold');
    await patch({ phase: 'Succeeded', passes: 2, pauseMs: 812 });
    expect(await during(command, 500)).toBe(0);
  });

  it('says what it waits for', async () => {
    const context = await start(running('x', 'a'));
    const command = migrate(context, 'default', 'x', { to: 'b', watch: true });
    await during(command, 500);
    const waits = {
      type: 'Succeeded',
      status: 'Unknown',
      reason: 'Pending',
      message: 'As many go on as may',
    };
    const conditions = [{ ...waits, lastTransitionTime: '2026-01-01T00:00:00Z' }];
    await patch({ phase: 'Pending', conditions });
    await during(command, 500);
    await patch({ phase: 'Copying', source: 'a', target: 'b', mode: 'Cold' });
    await during(command, 500);
    await patch({ phase: 'Succeeded' });
    expect(await during(command, 500)).toBe(0);
    expect(written).toContain('\nPending\nPending: As many go on as may\nCopying a to b, cold\n');
  });

  it('fails with the reason when it fails', async () => {
    const context = await start(running('x', 'a'));
    const command = migrate(context, 'default', 'x', { to: 'b', watch: true });
    const failed = { type: 'Succeeded', status: 'False', reason: 'NoRoom', message: 'b has no room' };
    await during(command, 500);
    await patch({ phase: 'Failed', conditions: [{ ...failed, lastTransitionTime: '2026-01-01T00:00:00Z' }] });
    expect(await during(command, 500)).toBe(1);
    expect(written).toMatch(/Failed: b has no room \(took/);
  });

  it('is cancelled when somebody deletes it', async () => {
    const context = await start(running('x', 'a'));
    const command = migrate(context, 'default', 'x', { to: 'b', watch: true });
    await during(command, 500);
    const [{ metadata } = { metadata: { name: '' } }] = trial.store.all<Migration>(migrationKind);
    await trial.store.delete(
      migrationKind,
      { namespace: 'default', name: metadata.name },
      {},
      context.signal,
    );
    expect(await during(command, 500)).toBe(1);
    expect(written).toMatch(
      /\nmigration\/x-\w+ Cancelled: it was deleted, or its container or namespace was\n$/,
    );
  });

  it('goes on when nobody watches any more', async () => {
    const context = await start(running('x', 'a'));
    const command = migrate(context, 'default', 'x', { watch: true });
    await during(command, 500);
    interrupted.abort();
    expect(await during(command, 100)).toBe(130);
    expect(complained).toMatch(
      /The migration goes on.*'kubectl delete migration x-\w+ -n default' cancels it/,
    );
    expect(trial.active()).toHaveLength(1);
  });

  it.each<[string, Parameters<typeof migrate>[3], string, RegExp]>([
    ['a container that is not there', {}, 'z', /^There is no container z in namespace default$/],
    ['a node that is not there', { to: 'z' }, 'x', /^There is no node z: there are a, b$/],
    ['two modes', { live: true, cold: true }, 'x', /^Only one of/],
  ])('refuses %s', async (_name, flags, name, message) => {
    const context = await start(running('x', 'a'));
    await expect(migrate(context, 'default', name, flags)).rejects.toThrow(message);
    expect(trial.store.all(migrationKind)).toEqual([]);
    expect(trial.store.all(nodeKind)).toHaveLength(2);
  });
});

describe('on a terminal', () => {
  it('draws a bar over itself, and takes it away in the end', async () => {
    const context = await start(
      running('x', 'a'),
      running('y', 'a', { spec: { migration: { policy: 'Never' } } }),
    );
    const output = { isTTY: true, write: (text: string) => (written += text) };
    const command = drain({ ...context, output }, 'a', { wait: true });
    await during(command, 1_000);
    await trial.succeedAll();
    await during(command, 5_000);
    expect(written).toContain('\r\u001B[K[############............] a: 1 of 2 moved, 1 blocked');
    expect(written.slice(written.lastIndexOf('blocked:') - 80)).not.toContain('[#');
  });

  it.each([
    [0, '[........................]'],
    [0.5, '[############............]'],
    [7, '[########################]'],
  ])('a share of %d is %s', (share, bar) => {
    expect(barOf(share)).toBe(bar);
  });

  it.each([
    [formatMs(812), '812 ms'],
    [formatMs(5_420), '5.4 s'],
    [formatMs(125_000), '2m05s'],
    [formatSize(812), '812 B'],
    [formatSize(5 * 2 ** 20), '5.0 MiB'],
  ])('tells times and sizes for people: %s', (text, expected) => {
    expect(text).toBe(expected);
  });
});
