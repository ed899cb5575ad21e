import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { type ClusterPolicy, clusterPolicyFaults } from '../../../src/crds/cluster-policy.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { leaseTimingFaults, leaseTimingMs } from '../../../src/crds/lease-timing.ts';

const policy = (spec: ClusterPolicy['spec']): ClusterPolicy => ({
  apiVersion: API_VERSION,
  kind: 'ClusterPolicy',
  metadata: { name: 'cluster' },
  spec,
});

describe('lease timing', () => {
  it.each([
    ['the defaults', {}],
    ['the defaults, written out', { renew: '1s', duration: '5s', fenceDelay: '3s' }],
    ['fast', { renew: '400ms', duration: '2s', fenceDelay: '1s' }],
    ['the fastest', { renew: '200ms', duration: '1s', fenceDelay: '525ms' }],
    ['slow', { renew: '10s', duration: '1m', fenceDelay: '2s' }],
  ])('%s is taken', (_name, timing) => {
    expect(leaseTimingFaults(timing, 'spec.nodeLease')).toEqual([]);
  });

  it.each([
    ['renew as long as duration', { renew: '5s' }, 'duration', 'at least 5 × renew (25000ms)'],
    ['renew longer than duration', { renew: '10s', duration: '5s' }, 'duration', '5 × renew'],
    ['a duration just too short', { renew: '1s', duration: '4999ms' }, 'duration', '5 × renew (5000ms)'],
    ['a negative duration', { duration: '-5s' }, 'duration', 'must be a duration'],
    ['a negative fenceDelay', { fenceDelay: '-1s' }, 'fenceDelay', 'must be a duration'],
    ['a word', { renew: 'soon' }, 'renew', 'must be a duration'],
    ['renew of zero', { renew: '0s' }, 'renew', 'at least 200ms'],
    ['renew below what an API can answer', { renew: '100ms', duration: '1s' }, 'renew', 'at least 200ms'],
    ['fenceDelay of zero', { fenceDelay: '0s' }, 'fenceDelay', 'A watchdog makes it no shorter'],
    ['fenceDelay below what a stop takes', { fenceDelay: '624ms' }, 'fenceDelay', 'at least 625ms'],
    [
      'fenceDelay that clocks use up',
      { renew: '10s', duration: '1m', fenceDelay: '1s' },
      'fenceDelay',
      '2000ms',
    ],
    ['a duration of days', { duration: '48h', fenceDelay: '59m' }, 'duration', 'at most 1h'],
  ])('%s is refused', (_name, timing, field, rule) => {
    expect(leaseTimingFaults(timing, 'spec.nodeLease')).toContainEqual({
      field: `spec.nodeLease.${field}`,
      reason: 'FieldValueInvalid',
      message: expect.stringContaining(rule),
    });
  });

  it('whatever is taken keeps the rules, with the drift of clocks taken off', () => {
    const ms = fc.integer({ min: 0, max: 20_000 }).map((value) => `${value}ms`);
    fc.assert(
      fc.property(ms, ms, ms, (renew, duration, fenceDelay) => {
        const timing = { renew, duration, fenceDelay };
        const values = leaseTimingMs(timing);
        fc.pre(values !== undefined && leaseTimingFaults(timing, '').length === 0);
        const { renewMs, durationMs, fenceDelayMs } = values;
        expect(renewMs * 5).toBeLessThanOrEqual(durationMs);
        // A leader whose clock runs 2 % faster still leaves the guard its time for stopping.
        expect((durationMs + fenceDelayMs) * 0.98 - durationMs).toBeGreaterThanOrEqual(490);
      }),
    );
  });
});

describe('ClusterPolicy', () => {
  it('names the class whose timing is wrong', () => {
    const faults = clusterPolicyFaults(
      policy({
        nodeLease: { renew: '1s' },
        nodeClasses: [
          { name: 'core', nodeSelector: { role: 'core' }, nodeLease: {} },
          { name: 'edge', nodeSelector: { site: 'edge' }, nodeLease: { renew: '2s' } },
        ],
      }),
    );
    expect(faults.map(({ field }) => field)).toEqual(['spec.nodeClasses[1].nodeLease.duration']);
  });

  it('is right when it says nothing', () => {
    expect(clusterPolicyFaults(policy({}))).toEqual([]);
  });
});

describe('rebalancing that nothing holds back', () => {
  it.each<[NonNullable<ClusterPolicy['spec']['rebalance']>, string[]]>([
    [{ cooldown: '0s' }, ['spec.rebalance.cooldown']],
    [{ window: '999ms', cooldown: '0m' }, ['spec.rebalance.window', 'spec.rebalance.cooldown']],
    [{ window: '1s', cooldown: '1s' }, []],
    [{}, []],
  ])('%j is refused with its fields', (rebalance, fields) => {
    expect(clusterPolicyFaults(policy({ rebalance })).map(({ field }) => field)).toEqual(fields);
  });
});
