import { describe, expect, it } from '@jest/globals';
import { cgroupMounts } from '../../../../src/cmd/local/cgroup.ts';

describe('control group hierarchies', () => {
  it.each([
    ['v2 alone', 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n', ['/sys/fs/cgroup']],
    [
      'v1 with v2 beside it',
      'tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n',
      ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified'],
    ],
    ['none', 'proc /proc proc rw 0 0\n', []],
  ])('are found on a machine with %s', (_, mounts, expected) => {
    expect(cgroupMounts(mounts)).toEqual(expected);
  });
});
