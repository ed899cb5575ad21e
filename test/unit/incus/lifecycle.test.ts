import { describe, expect, it } from '@jest/globals';
import { type EventMessage, hostEventOf } from '../../../src/incus/lifecycle.ts';

const by = { username: 'root', protocol: 'unix' };
const message = (
  action: string,
  requestor: object | null | undefined = null,
  more: object = {},
): EventMessage => ({
  type: 'lifecycle',
  metadata: { action, source: '/1.0/instances/web', ...(requestor === undefined ? {} : { requestor }) },
  ...more,
});
const nobody = (): boolean => false;

describe('hostEventOf', () => {
  it.each([
    ['a creation', message('instance-created', by), { type: 'created', name: 'web' }],
    ['a start', message('instance-started', by), { type: 'started', name: 'web' }],
    ['a reboot from inside', message('instance-restarted'), { type: 'restarted', name: 'web' }],
    ['a change', message('instance-updated'), { type: 'updated', name: 'web' }],
    ['a freeze', message('instance-paused', by), { type: 'updated', name: 'web' }],
    ['a deletion', message('instance-deleted', by), { type: 'deleted', name: 'web' }],
    ['a clean stop', message('instance-shutdown', by), { type: 'stopped', name: 'web', requested: true }],
    ['a forced stop', message('instance-stopped', by), { type: 'stopped', name: 'web', requested: true }],
    ['an end by itself', message('instance-shutdown'), { type: 'stopped', name: 'web', requested: false }],
    [
      'an end by itself, without the field',
      message('instance-shutdown', undefined),
      { type: 'stopped', name: 'web', requested: false },
    ],
  ])('understands %s', (_case, event, expected) => {
    expect(hostEventOf(event, nobody)).toEqual(expected);
  });

  it('takes an end without requestor as asked for while this driver is stopping the instance', () => {
    const event = message('instance-shutdown');
    expect(hostEventOf(event, (name) => name === 'web')).toMatchObject({ requested: true });
  });

  it.each([
    ['another project', message('instance-started', by, { project: 'other' })],
    ['an operation', { ...message('instance-started'), type: 'operation' }],
    [
      'a snapshot',
      { type: 'lifecycle', metadata: { action: 'x', source: '/1.0/instances/web/snapshots/a' } },
    ],
    ['an image', { type: 'lifecycle', metadata: { action: 'image-created', source: '/1.0/images/abc' } }],
    ['an exec', message('instance-exec', by)],
  ])('says nothing about %s', (_case, event) => {
    expect(hostEventOf(event, nobody)).toBeUndefined();
  });
});
