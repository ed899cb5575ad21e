import { describe, expect, it } from '@jest/globals';
import { formatAge, formatStatus, type LocalStatus } from '../../../../src/cmd/local/status.ts';

const nowMs = Date.parse('2026-03-01T12:00:00Z');
const status: LocalStatus = {
  stateDir: '/srv/cluster',
  kubeconfig: '/srv/cluster/admin.kubeconfig',
  healthy: false,
  parts: [
    {
      part: 'server',
      healthy: true,
      state: 'running',
      pid: 12,
      startedAt: '2026-03-01T11:55:00.000Z',
      memoryBytes: 100 * 2 ** 20,
    },
    { part: 'host-1 agent', healthy: false, state: 'down' },
  ],
};

describe('status', () => {
  it('is a table that says what to do when something is down', () => {
    expect(formatStatus(status, nowMs).split('\n')).toEqual([
      'PART           STATE     PID   UP   MEMORY',
      'server         running   12    5m   100 MiB',
      'host-1 agent   down',
      '',
      "Something is down: 'hostler up' starts it again; logs are in /srv/cluster/logs",
      '',
    ]);
  });

  it('tells how to reach a healthy cluster', () => {
    expect(formatStatus({ ...status, healthy: true }, nowMs)).toContain(
      'export KUBECONFIG=/srv/cluster/admin.kubeconfig',
    );
  });

  it.each([
    [-5, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [7_200_000, '2h'],
    [172_800_000, '2d'],
  ])('shows %d ms as %s', (ms, text) => {
    expect(formatAge(ms)).toBe(text);
  });
});
