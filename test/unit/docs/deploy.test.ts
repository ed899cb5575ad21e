import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { kinds } from '../../../src/crds/kinds.ts';
import { NODE_LEASE_NAMESPACE } from '../../../src/crds/kind.ts';
import { NODES_GROUP } from '../../../src/apiserver/auth/user.ts';

const manifests = new URL('../../../manifests/', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, manifests), 'utf8');

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  roleRef?: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace?: string }[];
}

const objectsOf = (path: string): Manifest[] =>
  parseAllDocuments(read(path)).map((document) => document.toJS() as Manifest);
const rbac = readdirSync(new URL('rbac/', manifests))
  .filter((name) => name !== 'kustomization.yaml')
  .flatMap((name) => objectsOf(`rbac/${name}`));

describe.each(['rbac', 'crds'])('manifests/%s/kustomization.yaml', (folder) => {
  it('lists every other file of its folder', () => {
    const { resources } = parse(read(`${folder}/kustomization.yaml`)) as { resources: string[] };
    const others = readdirSync(new URL(`${folder}/`, manifests)).filter(
      (name) => name !== 'kustomization.yaml',
    );
    expect([...resources].sort()).toEqual(others.sort());
  });
});

describe('manifests/deploy', () => {
  it('holds the namespace of the node leases', () => {
    expect(objectsOf('deploy/namespace.yaml')[0]?.metadata.name).toBe(NODE_LEASE_NAMESPACE);
  });
});

describe('manifests/rbac', () => {
  it('binds roles that are there', () => {
    const roles = rbac
      .filter(({ rules }) => rules !== undefined)
      .map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    const bound = rbac.flatMap(({ roleRef }) =>
      roleRef === undefined ? [] : [`${roleRef.kind}/${roleRef.name}`],
    );
    expect(bound.length).toBeGreaterThan(0);
    expect(roles).toEqual(expect.arrayContaining(bound));
  });

  it('names only resources of Hostler in its group', () => {
    const known = kinds.flatMap(({ resource }) => [resource, `${resource}/status`]);
    const named = rbac
      .flatMap(({ rules = [] }) => rules)
      .filter(({ apiGroups }) => apiGroups.includes('hostler.dev'))
      .flatMap(({ resources }) => resources);
    expect(known).toEqual(expect.arrayContaining(named));
  });

  it('lets nobody but people create or delete containers', () => {
    const creators = rbac
      .filter(({ rules = [] }) =>
        rules.some(({ resources, verbs }) => resources.includes('containers') && verbs.includes('create')),
      )
      .map(({ metadata }) => metadata.name);
    expect(creators).toEqual(['hostler-edit']);
  });

  it('binds the agents by the group of their certificates', () => {
    const subjects = rbac.flatMap(({ subjects: own = [] }) => own);
    expect(subjects).toContainEqual(expect.objectContaining({ kind: 'Group', name: NODES_GROUP }));
  });
});

const units = readdirSync(new URL('systemd/', manifests)).filter((name) => name.endsWith('.service'));
/** What a unit needs besides being root; the guard kills processes of other users, and tells namespaces apart. */
const CAPABILITIES: Record<string, string> = { 'hostler-guard.service': 'CAP_KILL CAP_SYS_PTRACE' };

/** Settings with which systemd gives a service mounts of its own: what it unmounts there stays mounted for the host. */
const MOUNT_NAMESPACE =
  /^(Private(Devices|Tmp|Mounts)|Protect(System|Home|Hostname|ControlGroups|Kernel\w+|Proc)|(ReadOnly|ReadWrite|Inaccessible)Paths)$/;

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('manifests/systemd', () => {
  it.each(units)(
    '%s restarts for ever, gives up what it does not need, and starts a command that there is',
    (unit) => {
      const text = read(`systemd/${unit}`);
      const command = /^ExecStart=\S+\/hostler (\w+) /m.exec(text)?.[1];
      expect(command).toBe(unit.replace(/^hostler-(.*)\.service$/, '$1'));
      for (const setting of [
        'Restart=always',
        'StartLimitIntervalSec=0',
        `CapabilityBoundingSet=${CAPABILITIES[unit] ?? ''}`,
        'NoNewPrivileges=yes',
      ]) {
        expect(text.split('\n')).toContain(setting);
      }
    },
  );

  it('signals nothing but the agent, and ties it to no daemon', () => {
    const agent = read('systemd/hostler-agent.service');
    expect(agent).toMatch(/^KillMode=process$/m);
    expect(agent).not.toMatch(/^(Requires|BindsTo|PartOf|Upholds)=/m);
  });

  it.each(units)('%s uses only options of its command', (unit) => {
    const command = unit.replace(/^hostler-(.*)\.service$/, '$1');
    const source = readFileSync(new URL(`../../../src/cmd/${command}.ts`, import.meta.url), 'utf8');
    const options = read(`systemd/${unit}`).match(/ --[a-z-]+/g) ?? [];
    expect(options.length).toBeGreaterThan(1);
    for (const option of options) expect(source).toContain(`'${option.trim()} <`);
  });

  it("lets the guard at the kernel's watchdog, and ties it to nothing", () => {
    const guard = settingsOf('hostler-guard.service');
    // ProtectClock allows the clock's device, and with that no other any more.
    expect(guard.get('ProtectClock')).toEqual(['yes']);
    expect(guard.get('DeviceAllow')).toEqual(['/dev/watchdog rw', 'char-watchdog rw']);
    expect(guard.has('PrivateDevices')).toBe(false);
    for (const tie of ['Requires', 'BindsTo', 'PartOf', 'StopWhenUnneeded'])
      expect(guard.has(tie)).toBe(false);
    expect(settingsOf('hostler-agent.service').get('Wants')?.join()).toContain('hostler-guard.service');
  });

  it('has a drop-in for Shared pools that takes back all that hides mounts from the host', () => {
    const dropIn = settingsOf('hostler-agent.service.d/shared-pools.conf');
    const hiding = [...settingsOf('hostler-agent.service').keys()].filter((name) =>
      MOUNT_NAMESPACE.test(name),
    );
    expect(hiding.length).toBeGreaterThan(5);
    for (const name of hiding) expect([name, dropIn.get(name)]).toEqual([name, ['no']]);
    expect(dropIn.get('CapabilityBoundingSet')?.[0]?.split(' ')).toEqual(
      expect.arrayContaining(['CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE']),
    );
  });

  (hasSystemd ? it : it.skip)('passes systemd-analyze verify, where there is one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostler-units-'));
    try {
      cpSync(new URL('systemd/', manifests), folder, { recursive: true });
      for (const unit of units) {
        const text = readFileSync(join(folder, unit), 'utf8');
        writeFileSync(join(folder, unit), text.replace('/opt/hostler/bin/hostler', '/bin/true'));
      }
      const verify = ['verify', '--man=no', ...units.map((unit) => join(folder, unit))];
      const { status, stderr } = spawnSync('systemd-analyze', verify, { encoding: 'utf8' });
      expect({ status, complaints: stderr.split('\n').filter((line) => line.includes(folder)) }).toEqual({
        status: 0,
        complaints: [],
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function settingsOf(path: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  for (const line of read(`systemd/${path}`).split('\n')) {
    const [, name, value] = /^([A-Z]\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) settings.set(name, [...(settings.get(name) ?? []), value as string]);
  }
  return settings;
}
