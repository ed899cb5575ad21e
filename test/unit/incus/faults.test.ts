import { describe, expect, it } from '@jest/globals';
import { connectionFault, daemonFault, isLostReply } from '../../../src/incus/faults.ts';
import { HostlerError } from '../../../src/ports/errors.ts';

describe('daemonFault', () => {
  it.each([
    ['an unknown key', 500, 'Invalid config: Unknown configuration key: nope.x', 'Invalid'],
    [
      'an unknown key on creation',
      0,
      'Failed creating instance record: Unknown configuration key: nope',
      'Invalid',
    ],
    ['a bad value', 500, 'Invalid config: Invalid value for a boolean "maybe"', 'Invalid'],
    [
      'a network that is missing, which comes as 404',
      404,
      'Invalid devices: Device validation failed for "eth0": Failed to load network "x": Network not found',
      'Invalid',
    ],
    [
      'a pool that is missing, as the end of an operation',
      404,
      'Failed creating instance record: Failed initializing instance: Failed loading storage pool: Storage pool not found',
      'Invalid',
    ],
    ['an instance that is missing', 404, 'Failed to fetch instance "c1": Instance not found', 'NotFound'],
    ['a pool that is missing', 404, 'Storage pool not found', 'NotFound'],
    [
      'a name that is taken, on Incus',
      0,
      'UNIQUE constraint failed: instances.project_id, instances.name',
      'AlreadyExists',
    ],
    ['a name that is taken, on LXD', 0, 'This "instances" entry already exists', 'AlreadyExists'],
    ['a pool in use', 400, 'The storage pool is currently in use', 'Conflict'],
    ['an instance that runs', 400, 'Instance is running', 'Conflict'],
    ['another operation', 500, 'Instance is busy running a "stop" operation', 'Conflict'],
    ['a failed precondition', 412, 'Precondition failed', 'Conflict'],
    ['a daemon that starts', 503, 'Daemon is starting up', 'Unavailable'],
    ['a driver option', 400, 'Invalid option "btrfs.nope"', 'Invalid'],
    ['no permission', 403, 'not authorized', 'Forbidden'],
    ['anything else', 500, 'setting cgroup item for the container failed', 'Internal'],
  ])('%s', (_case, status, message, code) => {
    expect(daemonFault(status, message)).toMatchObject({ code, message });
  });
});

describe('connectionFault', () => {
  const live = new AbortController().signal;

  it.each([
    ['no daemon', 'ECONNREFUSED', 'Unavailable', false],
    ['no socket', 'ENOENT', 'Unavailable', false],
    ['a reset in the middle', 'ECONNRESET', 'Unavailable', true],
    ['a connection that ended early', 'UND_ERR_SOCKET', 'Unavailable', true],
    ['a socket that is not ours to open', 'EACCES', 'Forbidden', false],
    ['a certificate that is not the pinned one', 'CERT_PIN', 'Unauthorized', false],
    ['anything else', 'EWHATEVER', 'Internal', false],
  ])('%s', (_case, code, expected, lost) => {
    const fault = connectionFault(Object.assign(new Error('x'), { code }), live);
    expect(fault.code).toBe(expected);
    expect(isLostReply(fault)).toBe(lost);
  });

  it('is the reason of an aborted signal: a deadline stays a Timeout, all else is Aborted', () => {
    const late = AbortSignal.abort(new HostlerError('Timeout', 'late'));
    expect(connectionFault(new Error('x'), late).code).toBe('Timeout');
    expect(connectionFault(new Error('x'), AbortSignal.abort()).code).toBe('Aborted');
  });
});
