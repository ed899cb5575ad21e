import { afterAll, beforeAll, it } from '@jest/globals';
import { stringify } from 'yaml';
import { type Condition, findCondition } from '../../src/crds/conditions.ts';
import type { Container } from '../../src/crds/container.ts';
import type { Node } from '../../src/crds/node.ts';
import type { KubeObject } from '../../src/crds/object.ts';
import { messageOf } from '../../src/ports/errors.ts';
import { playAhead } from '../support/ahead.ts';
import { type ClusterHost, type FoundInstance, startTestCluster } from '../support/cluster.ts';
import { eventually } from '../support/waiting.ts';
import type { TestCluster } from '../support/cluster.ts';

/**
 * The tests of one file share one cluster; each plays in a namespace of its own, which is deleted afterwards. A test that
 * fails tells what the objects in its namespace looked like, and the end of the agents' logs.
 */
export interface Trial {
  it(name: string, test: (scene: Scene) => Promise<void>, timeoutMs?: number): void;
  /** One test for each row; `$key` in the name stands for the row's value. */
  each<Row extends object>(
    rows: readonly Row[],
    name: string,
    test: (scene: Scene, row: Row) => Promise<void>,
  ): void;
  /** Those whose tests change nothing outside of their namespaces: some of them are played at the same time. */
  readonly together: Omit<Trial, 'together'>;
}

export interface Scene {
  readonly cluster: TestCluster;
  readonly namespace: string;
  /** kubectl in the namespace. @returns standard output */
  kubectl(...argv: string[]): Promise<string>;
  /** kubectl that must fail. @returns standard error */
  refused(...argv: string[]): Promise<string>;
  apply(...objects: object[]): Promise<void>;
  /** The Container from the API; undefined when there is none. */
  get(name: string): Promise<Container | undefined>;
  /** Waits until the Container is as `isRight` says. */
  until(what: string, name: string, isRight: Matches, deadlineMs?: number): Promise<Container>;
  /** Waits until the condition has the reason, and its message matches. */
  untilSays(name: string, condition: string, reason: string, message?: RegExp): Promise<Container>;
  untilReady(...names: string[]): Promise<void>;
  untilGone(name: string): Promise<void>;
  /** The instance on whatever host's daemon it is. @throws Error when there is none */
  instance(name: string): Promise<FoundInstance>;
  hasInstance(name: string): Promise<boolean>;
  /** Kills the container's first process from its host. @returns its pid */
  killInit(name: string): Promise<number>;
  /** Waits until the daemon, whatever the API may say, has it running with a first process other than `pid`. */
  untilRunsAnew(name: string, pid: number): Promise<void>;
  /** Messages of the Events about `name` with this reason. */
  events(name: string, reason: string): Promise<string[]>;
  untilEvent(name: string, reason: string, message: RegExp): Promise<void>;
  /** To be shown when the test fails, besides the namespace's containers: `storagepool/fast`. */
  about(...references: string[]): void;
  /** To be done at the end of the test, whatever comes of it; the last first. */
  later(act: () => Promise<unknown>): void;
}

type Matches = (container: Container) => boolean;

export const IMAGE = 'file:///var/lib/hostler/images/busybox.tar.gz';
const TIMEOUT_MS = 60_000;
const API = '/apis/hostler.dev/v1alpha1';
const NAMESPACES = '/api/v1/namespaces';

/** A small Container for a scene's `apply`; `spec` is added to or put in place of the defaults. */
export function container(name: string, spec: object = {}, metadata: object = {}): object {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name, ...metadata },
    spec: { image: IMAGE, resources: { cpu: '50m', memory: '32Mi' }, ...spec },
  };
}

export function pool(name: string, spec: object = {}): object {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'StoragePool',
    metadata: { name },
    spec: { driver: 'dir', ...spec },
  };
}

export function isReady({ status, metadata }: Container): boolean {
  const ready = findCondition(status?.conditions, 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation;
}

/** To be called once in a test file: starts the cluster before its tests, ends it after them and looks for leaks. */
export function useCluster(options: { live?: boolean } = {}): Trial {
  let cluster: TestCluster | undefined;
  let scenes = 0;
  const ahead = playAhead();
  beforeAll(async () => {
    cluster = await startTestCluster(options);
  }, 120_000);
  afterAll(async () => {
    await ahead.settled();
    await cluster?.stop();
  }, 120_000);
  const perform = async (test: (scene: Scene) => Promise<void>): Promise<void> => {
    if (cluster === undefined) throw new Error('The cluster did not start');
    scenes += 1;
    await play(cluster, `t${scenes}`, test);
  };
  // What is in the tests is looked at where they are written.
  /* oxlint-disable jest/expect-expect, jest/valid-title */
  return {
    it: (name, test, timeoutMs = TIMEOUT_MS) => it(name, () => perform(test), timeoutMs),
    each: (rows, name, test) =>
      it.each([...rows])(name, (row) => perform((scene) => test(scene, row)), TIMEOUT_MS),
    together: {
      it: (name, test, timeoutMs = TIMEOUT_MS) =>
        it(
          name,
          ahead.add(() => perform(test)),
          timeoutMs,
        ),
      each: (rows, name, test) => {
        const plays = new Map(
          rows.map((row) => [row, ahead.add(() => perform((scene) => test(scene, row)))]),
        );
        it.each([...rows])(name, (row) => (plays.get(row) as () => Promise<void>)(), TIMEOUT_MS);
      },
    },
  };
}

async function play(
  cluster: TestCluster,
  namespace: string,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const references: string[] = [];
  const acts: (() => Promise<unknown>)[] = [];
  const scene = sceneOf(cluster, namespace, references, acts);
  let isWhole = true;
  try {
    await cluster.send('POST', NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    });
    await test(scene);
  } catch (error) {
    isWhole = false;
    throw explained(error, await report(cluster, namespace, references));
  } finally {
    for (const act of acts.toReversed()) await act();
    // What it had killed is missing to the next one.
    if (!isWhole) await cluster.up();
    await cluster.send('DELETE', `${NAMESPACES}/${namespace}`);
  }
}

function sceneOf(
  cluster: TestCluster,
  namespace: string,
  references: string[],
  acts: (() => Promise<unknown>)[],
): Scene {
  const inNamespace = (argv: readonly string[]): string[] => ['-n', namespace, ...argv];
  const get: Scene['get'] = (name) => cluster.get(`${API}/namespaces/${namespace}/containers/${name}`);
  const until: Scene['until'] = async (what, name, isRight, deadlineMs) =>
    (await eventually(
      `${name}: ${what}`,
      () => get(name),
      (found) => found !== undefined && isRight(found),
      deadlineMs,
    )) as Container;
  const instance: Scene['instance'] = async (name) => {
    // A daemon may have no answer about what is between two states.
    const found = await eventually(
      `a daemon tells about ${namespace}/${name}`,
      () => cluster.find(namespace, name),
      () => true,
    );
    if (found === undefined) throw new Error(`No daemon has an instance of ${namespace}/${name}`);
    return found;
  };
  const events: Scene['events'] = async (name, reason) => {
    const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.name=${name}`;
    const list = await cluster.get<{ items: { reason: string; message: string }[] }>(path);
    return (list?.items ?? []).filter((event) => event.reason === reason).map(({ message }) => message);
  };
  return {
    cluster,
    namespace,
    get,
    until,
    instance,
    events,
    kubectl: (...argv) => cluster.kubectl.text(inNamespace(argv)),
    refused: async (...argv) => (await cluster.kubectl.run(inNamespace(argv), { code: 1 })).stderr,
    apply: async (...objects) => {
      const input = objects.map((object) => stringify(object)).join('---\n');
      await cluster.kubectl.run(inNamespace(['apply', '-f', '-']), { input });
    },
    untilSays: (name, type, reason, message = /^/) =>
      until(`${type} says ${reason} ${message}`, name, ({ status }) => {
        const condition = findCondition(status?.conditions, type);
        return condition?.reason === reason && message.test(condition.message);
      }),
    untilReady: async (...names) => {
      await Promise.all(names.map((name) => until('is Ready', name, isReady, 30_000)));
    },
    untilGone: async (name) => {
      await eventually(
        `${name} is gone`,
        () => get(name),
        (found) => found === undefined,
      );
    },
    hasInstance: async (name) => (await cluster.find(namespace, name)) !== undefined,
    killInit: async (name) => {
      const { host, name: instanceName, pid } = await instance(name);
      await host.killInit(instanceName);
      return pid;
    },
    untilRunsAnew: async (name, before) => {
      // While it clears up after an end, a daemon says Running of what has no process any more.
      const isAnew = ({ status, pid }: FoundInstance): boolean =>
        status === 'Running' && pid > 0 && pid !== before;
      await eventually(`${name} runs anew`, () => instance(name), isAnew);
    },
    untilEvent: async (name, reason, message) => {
      await eventually(
        `${name} has an Event ${reason} ${message}`,
        () => events(name, reason),
        (messages) => messages.some((text) => message.test(text)),
      );
    },
    about: (...more) => void references.push(...more),
    later: (act) => void acts.push(act),
  };
}

function explained(error: unknown, told: string): Error {
  const { stack = '' } = error instanceof Error ? error : {};
  const whole = new Error(`${messageOf(error)}\n\n${told}`);
  const calls = stack.split('\n').filter((line) => line.startsWith('    at '));
  whole.stack = `Error: ${whole.message}\n${calls.join('\n')}`;
  return whole;
}

async function report(
  cluster: TestCluster,
  namespace: string,
  references: readonly string[],
): Promise<string> {
  const show = async (argv: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await cluster.kubectl.run(argv, { code: 'any' });
    return `$ kubectl ${argv.join(' ')}\n${stdout}${stderr}`;
  };
  const inNamespace = ['-n', namespace, 'get'];
  const parts = [
    await show([...inNamespace, 'containers', '-o', 'yaml']),
    ...(await Promise.all(references.map((reference) => show(['get', reference, '-o', 'yaml'])))),
    await show([...inNamespace, 'events']),
    await show(['get', 'nodes,storagepools,containers', '-A']),
    ...cluster.hosts.map(({ name }) => `${name} agent:\n${cluster.logTail(`${name}-agent`, 12)}`),
    `server:\n${cluster.logTail('server', 12)}`,
  ];
  return parts.join('\n\n');
}

/** The names of the hosts whose daemons have this storage pool. */
export async function hostsWithPool(cluster: TestCluster, name: string): Promise<string[]> {
  const has = async (host: ClusterHost): Promise<boolean> =>
    (await host.ask('GET', `/1.0/storage-pools/${name}`)) !== undefined;
  const found = await Promise.all(cluster.hosts.map(async (host) => ((await has(host)) ? [host.name] : [])));
  return found.flat();
}

/** For polls of an object that is in no namespace. */
export function clusterObject<T extends KubeObject>(
  cluster: TestCluster,
  resource: 'nodes' | 'storagepools',
  name: string,
): Promise<T | undefined> {
  return cluster.get<T>(`${API}/${resource}/${name}`);
}

export async function nodeSays(
  cluster: TestCluster,
  node: string,
  type: string,
): Promise<Condition | undefined> {
  const found = await clusterObject<Node>(cluster, 'nodes', node);
  return findCondition(found?.status?.conditions, type);
}
