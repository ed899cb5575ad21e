import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { type Migration, migrationKind } from '../../../src/crds/migration.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { startController } from '../../support/controller-process.ts';
import type { HostlerProcess } from '../../support/hostler-process.ts';
import { createKubectl, type Kubectl, type KubectlResult } from '../../support/kubectl.ts';
import { type ScriptedAgents, startAgents } from '../../support/scripted-agents.ts';

/** The plugin as the stock kubectl finds and runs it, over the real API and controllers; agents without hosts. */
const { signal } = new AbortController();
const PLUGIN = fileURLToPath(new URL('../../../src/cmd/kubectl-hostler.ts', import.meta.url));
let api: TestApiServer;
let kubectl: Kubectl;
let store: ReturnType<typeof createObjectStore>;
let agents: ScriptedAgents;
let controllers: HostlerProcess;
let bin = '';

beforeAll(async () => {
  api = await startApiServer();
  kubectl = await createKubectl(api.kubeconfigPath);
  store = createObjectStore({ kubeConfig: api.kubeconfigPath, userAgent: 'test', logger: silentLogger });
  controllers = await startController(api);
  await controllers.says('stderr', /"leading"/);
  agents = startAgents(store, ['host-1', 'host-2']);
  const program = await kubectl.file(
    'kubectl-hostler',
    `#!/bin/sh\nexec ${process.execPath} --no-warnings ${PLUGIN} "$@"\n`,
    0o755,
  );
  bin = dirname(program);
  await kubectl.apply({ ...manifest('StoragePool', 'default'), spec: { driver: 'dir' } });
  await kubectl.run(['wait', '--for=condition=Ready', 'storagepool/default', '--timeout=20s']);
}, 60_000);

afterAll(async () => {
  await controllers.stop();
  await agents.stop();
  store.close();
  await kubectl.close();
  await api.stop();
}, 60_000);

const manifest = (kind: string, name: string) => ({ apiVersion: API_VERSION, kind, metadata: { name } });
const image = 'images:alpine/3.20';
const hostler = (
  argv: readonly string[],
  code = 0,
  env: Record<string, string> = {},
): Promise<KubectlResult> => {
  const path = `${bin}:${process.env['PATH'] ?? ''}`;
  return kubectl.run(['hostler', ...argv], { env: { PATH: path, NODE_OPTIONS: '', ...env }, code });
};
const node = (name: string) => store.get<Node>(nodeKind, { name }, signal);

describe('kubectl hostler', () => {
  it('is found by kubectl, and says what it can do', async () => {
    const { stdout } = await hostler(['--help']);
    for (const command of ['cordon', 'uncordon', 'drain', 'restore', 'migrate', 'plan']) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a command that is not there', ['bogus'], /unknown command 'bogus'/],
    ['a node that is not there', ['drain', 'host-9'], /There is no node host-9: there are host-1, host-2/],
    ['a flag that is wrong', ['drain', 'host-1', '--timeout', 'soon'], /must be a duration/],
    ['a mode that is not there', ['drain', 'host-1', '--mode', 'warm'], /Allowed choices are live/],
    ['a container that is not there', ['migrate', 'none'], /There is no container none in namespace default/],
    [
      'a context that is not there',
      ['cordon', 'host-1', '--context', 'nowhere'],
      /there is no context "nowhere"/,
    ],
    [
      'a kubeconfig that is not there',
      ['cordon', 'host-1', '--kubeconfig', '/none'],
      /Cannot use the kubeconfig \/none/,
    ],
  ])('refuses %s with exit code 2', async (_name, argv, message) => {
    expect((await hostler(argv, 2)).stderr).toMatch(message);
  });

  it('cordons and uncordons', async () => {
    expect((await hostler(['cordon', 'host-1', 'host-2'])).stdout).toBe(
      'node/host-1 cordoned\nnode/host-2 cordoned\n',
    );
    expect((await node('host-1'))?.spec.unschedulable).toBe(true);
    await hostler(['uncordon', 'host-1', 'host-2']);
    expect((await node('host-1'))?.spec.unschedulable).toBe(false);
  });

  it('drains a node without containers at once, keeps new ones away from it, and restores it', async () => {
    const { stdout } = await hostler(['drain', 'host-1']);
    expect(stdout).toMatch(/^node\/host-1 in maintenance: it is emptied\n[^]*node\/host-1 drained in /);
    await kubectl.run(['wait', '--for=condition=Drained', 'node/host-1', '--timeout=10s']);
    await kubectl.apply({
      ...manifest('Container', 'pinned'),
      spec: { image, placement: { nodeName: 'host-1', tolerations: [{ operator: 'Exists' }] } },
    });
    const message = '{.status.conditions[?(@.type=="Scheduled")].message}';
    const why = '0/2 nodes fit: 1 in maintenance, 1 not the pinned node host-1';
    await kubectl.run(['wait', `--for=jsonpath=${message}=${why}`, 'container/pinned', '--timeout=10s']);
    expect((await hostler(['restore', 'host-1'])).stdout).toMatch(/node\/host-1 restored in /);
    await kubectl.run([
      'wait',
      '--for=jsonpath={.status.nodeName}=host-1',
      'container/pinned',
      '--timeout=10s',
    ]);
  });

  it('says what is blocked, and that the drain goes on', async () => {
    const { stdout, stderr } = await hostler(['drain', 'host-1', '--timeout', '4s'], 3);
    expect(stdout).toMatch(/default\/pinned +blocked: Pinned: spec\.placement\.nodeName pins it to host-1\n/);
    expect(stderr).toMatch(/Not done after 4\.0 s\. The drain goes on/);
    expect((await node('host-1'))?.spec.maintenance).toBe('Drain');
    await hostler(['restore', 'host-1', '--skip', '--no-wait']);
    expect((await node('host-1'))?.spec).toMatchObject({ maintenance: 'None', drain: { restore: 'Skip' } });
  });

  it('shows why a migration is refused', async () => {
    const { stdout } = await hostler(['migrate', 'pinned', '--to', 'host-1', '--cold', '--watch'], 1);
    expect(stdout).toMatch(/^migration\/pinned-\w+ created\n[^]*Failed: .*host-1 already/);
    const { items } = await store.list<Migration>(migrationKind, { namespace: 'default' }, signal);
    expect(items).toMatchObject([{ spec: { container: 'pinned', targetNode: 'host-1', mode: 'Cold' } }]);
  });

  it("goes by the context's namespace, another context, and several kubeconfigs", async () => {
    await kubectl.run(['create', 'namespace', 'shop']);
    await kubectl.run(['apply', '-n', 'shop', '-f', '-'], {
      input: JSON.stringify({ ...manifest('Container', 'till'), spec: { image } }),
    });
    const contexts =
      'current-context: shop\ncontexts:\n- name: shop\n  context: {cluster: CLUSTER, user: USER, namespace: shop}\n';
    const own = await kubectl.json<{ contexts: { context: { cluster: string; user: string } }[] }>([
      'config',
      'view',
    ]);
    const { cluster = '', user = '' } = own.contexts[0]?.context ?? {};
    const extra = await kubectl.file('extra', contexts.replace('CLUSTER', cluster).replace('USER', user));
    const env = { KUBECONFIG: `${extra}:${api.kubeconfigPath}` };
    expect((await hostler(['migrate', 'till'], 0, env)).stdout).toMatch(/^migration\/till-\w+ created\n$/);
    expect((await hostler(['migrate', 'till'], 2)).stderr).toMatch(/no container till in namespace default/);
    expect((await hostler(['migrate', 'till', '-n', 'shop'])).stdout).toMatch(/^migration\/till-/);
    const { items } = await store.list<Migration>(migrationKind, { namespace: 'shop' }, signal);
    expect(items).toHaveLength(2);
  });

  it('refuses nonsense in budgets and policies at once', async () => {
    const budget = {
      ...manifest('DisruptionBudget', 'bad'),
      spec: { selector: { matchLabels: {} }, maxUnavailable: '130%' },
    };
    const refused = (object: object) =>
      kubectl.run(['apply', '-f', '-'], { input: JSON.stringify(object), code: 1 });
    expect((await refused(budget)).stderr).toMatch(/spec\.maxUnavailable/);
    expect(
      (await refused({ ...budget, spec: { selector: { matchLabels: {} }, maxUnavailable: -1 } })).stderr,
    ).toMatch(/spec\.maxUnavailable/);
    const policy = { ...manifest('ClusterPolicy', 'cluster'), spec: { rebalance: { threshold: 1 } } };
    expect((await refused(policy)).stderr).toMatch(/spec\.rebalance\.threshold/);
    await kubectl.apply({
      ...budget,
      metadata: { name: 'good' },
      spec: { selector: { matchLabels: {} }, maxUnavailable: '50%' },
    });
    await kubectl.run([
      'wait',
      '--for=jsonpath={.status.expected}=1',
      'disruptionbudget/good',
      '--timeout=10s',
    ]);
    expect(await kubectl.text(['get', 'db', 'good', '--no-headers'])).toMatch(/^good +50% +1 +0 +0 /);
  });
});
