import { describe, expect, it } from '@jest/globals';
import { getLastEnd, lastEndIn } from '../../../src/incus/last-end.ts';
import { systemClock } from '../../../src/ports/clock.ts';

const line = (level: string, text: string): string => `lxc web 20260101120000.000 ${level} ${text}\n`;
const started = line('NOTICE', 'start - start.c:post_start:2205 - Started "/sbin/init" with pid "184"');
const child = (how: string): string =>
  line('INFO', `error - error.c:lxc_error_set_and_log:31 - Child <184> ended on ${how}`);
const hook = line(
  'INFO',
  'conf - conf.c:run_script_argv:341 - Executing script "/usr/bin/lxd callhook /var/lib/lxd "default" "web" stopns" for container "web"',
);
const noise = line(
  'ERROR',
  'commands - commands.c:lxc_cmd_rsp_recv_fds:128 - Failed to receive file descriptors',
);

const notRun =
  line(
    'ERROR',
    'start - ../src/lxc/start.c:start:2197 - No such file or directory - Failed to exec "/sbin/init"',
  ) +
  line('ERROR', 'sync - sync.c:sync_wait:34 - An error occurred in another process') +
  line('ERROR', 'start - ../src/lxc/start.c:__lxc_start:2107 - Failed to spawn container "web"') +
  hook;

describe('how an instance ended, by the log', () => {
  it.each([
    ['a status', started + child('error (3)') + hook + noise, 'error', 'Exited with status 3'],
    ['a signal', started + child('signal Killed(9)') + hook, 'error', 'Killed by signal 9'],
    [
      'a signal of two words',
      started + child('signal Segmentation fault(11)') + hook,
      'error',
      'Killed by signal 11',
    ],
    ['status 0', started + noise + hook, 'clean', 'Exited with status 0'],
    [
      'an init that could not be run',
      notRun,
      'error',
      'Could not be started: No such file or directory - Failed to exec "/sbin/init"',
    ],
    ['a run that came after a start that failed', notRun + started + hook, 'clean', 'Exited with status 0'],
    [
      'a start that failed above what is read',
      notRun.slice(notRun.indexOf('start.c:__lxc')),
      'error',
      'Could not be started: the log of its start does not say why',
    ],
    ['a poweroff', started + child('signal Interrupt(2)') + hook, 'clean', 'Powered itself off'],
    ['a reboot that went wrong', started + child('signal Hangup(1)') + hook, 'unknown', 'Rebooted itself'],
    ['no end', started + noise, 'unknown', 'How it ended is not known'],
    [
      'a run after the one that failed',
      child('error (3)') + hook + started,
      'unknown',
      'How it ended is not known',
    ],
    ['a start that is too far up', child('error (3)') + hook, 'error', 'Exited with status 3'],
    ['an empty file', '', 'unknown', 'How it ended is not known'],
  ])('%s', (_what, log, kind, message) => {
    expect(lastEndIn(log, false)).toEqual({ kind, message });
  });

  it('does not take what the daemon stopped with its host, or did not see end, for a clean end', () => {
    expect(lastEndIn(started + hook, true).kind).toBe('unknown');
    expect(lastEndIn(started + child('signal Interrupt(2)') + hook, true).kind).toBe('unknown');
    expect(lastEndIn(started + child('error (3)') + hook, true).kind).toBe('error');
  });
});

describe('getLastEnd', () => {
  const killed = 'Started "/sbin/init" with pid "42"\nChild <42> ended on signal Killed(9)\n';
  const ask = (states: readonly string[], log: string) => {
    const left = [...states];
    const api = {
      find: async () => ({ status: left.length > 1 ? left.shift() : left[0], config: {} }),
      tail: async () => log,
    };
    const clock = {
      ...systemClock,
      schedule: (_ms: number, run: () => void) => systemClock.schedule(0, run),
    };
    return getLastEnd({ api: api as never, clock }, 'web--default', new AbortController().signal);
  };

  it('waits while the daemon, which clears up, says once more that it runs', async () => {
    expect(await ask(['Running', 'Running', 'Stopped'], killed)).toMatchObject({ kind: 'error' });
  });

  it('knows nothing of what runs', async () => {
    expect(await ask(['Running'], 'Started "/sbin/init" with pid "42"\n')).toMatchObject({ kind: 'unknown' });
  });

  it('gives up when that does not end', async () => {
    expect(await ask(['Running'], killed)).toMatchObject({ kind: 'unknown' });
  });
});
