import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CONTAINER_PHASES } from '../../../src/crds/container.ts';
import { metricDeclarations } from '../../../src/telemetry/metric-declarations.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const sourcesIn = (folder: string): string[] =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(`${folder}${name}`));

/** Reasons that stand in logs and decisions alone. */
const INTERNAL = [
  'ApiUnavailable',
  'Assigned',
  'Deleted',
  'NotAssigned',
  'Reassigned',
  'StaleEpoch',
  'Unplaced',
];

describe('docs/user/concepts.md', () => {
  const text = read('docs/user/concepts.md');

  it('explains every reason that conditions have', () => {
    const folders = [
      'src/plan/lifecycle/',
      'src/plan/failover/',
      'src/plan/storage/',
      'src/controllers/',
      'src/agent/',
    ];
    const reasons = new Set(
      folders
        .flatMap(sourcesIn)
        .flatMap((source) => [
          ...source.matchAll(/[rR]eason: '([A-Z]\w+)'|'(Image[A-Z]\w+)'|: '(Failed[A-Z]\w+)'/g),
        ])
        .map((match) => match.slice(1).find((group) => group !== undefined) ?? ''),
    );
    expect(reasons.size).toBeGreaterThan(25);
    const shown = [...reasons].filter((reason) => !INTERNAL.includes(reason) && reason !== 'FailedRelease');
    expect(shown.filter((reason) => !text.includes(`\`${reason}\``))).toEqual([]);
  });

  it('explains every phase', () => {
    expect(CONTAINER_PHASES.filter((phase) => !text.includes(`\`${phase}\``))).toEqual([]);
  });
});

describe('docs/user/maintenance.md', () => {
  const text = read('docs/user/maintenance.md');

  it('explains every reason for which a container does not move', () => {
    const reasons = ['src/plan/relocation/', 'src/plan/drain/']
      .flatMap(sourcesIn)
      .flatMap((source) => [...source.matchAll(/is: 'blocked', reason: '(\w+)'|reason: '(\w+)', message/g)])
      .map(([, one, other]) => one ?? other ?? '');
    // They hold back only for a moment, or are the condition's.
    const others = ['MigrationLimit', 'Terminating', 'Drained', 'Restored'];
    const shown = new Set(reasons.filter((reason) => !others.includes(reason)));
    expect(shown.size).toBeGreaterThan(6);
    expect([...shown].filter((reason) => !text.includes(`| \`${reason}\` |`))).toEqual([]);
  });
});

describe('docs/user/operations.md', () => {
  it('lists every metric as it is declared', () => {
    const rows = read('docs/user/operations.md')
      .split('\n')
      .filter((line) => line.startsWith('| `hostler_'));
    expect(rows).toEqual(
      Object.entries(metricDeclarations).map(([name, { type, labels, help }]) => {
        const quoted = labels.map((label) => `\`${label}\``).join(', ');
        return `| \`${name}\` | ${type} | ${quoted} | ${help} |`;
      }),
    );
  });
});
