import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  identityOf,
  isRunning,
  parseStat,
  readIdentity,
  run,
  signalProcess,
  waitForExit,
} from '../../../../src/cmd/local/process.ts';

const self = identityOf(process.pid);

describe('identity of a process', () => {
  it('is read past a command name with spaces and parentheses', () => {
    const fields = ['S', ...Array.from({ length: 18 }, () => '0'), '4711', '0'];
    expect(parseStat(`12 (a) (b c) ${fields.join(' ')}`)).toEqual({ pid: 12, startTicks: 4711 });
  });

  it.each(['', 'nonsense', '12 (sh)'])('is not found in %j', (line) => {
    expect(parseStat(line)).toBeUndefined();
  });

  it('is that of a running process', () => {
    expect(self).toBeDefined();
    expect(self && isRunning(self)).toBe(true);
  });

  it('never matches a later process with the same pid, which is not signalled', () => {
    const earlier = { pid: process.pid, startTicks: (self?.startTicks ?? 2) - 1 };
    expect(isRunning(earlier)).toBe(false);
    expect(signalProcess(earlier, 'SIGKILL')).toBe(false);
  });

  it('is read from what a wrapper wrote', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostler-'));
    try {
      writeFileSync(join(folder, 'pid'), '7 (sh) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0\n');
      expect(readIdentity(join(folder, 'pid'))).toEqual({ pid: 7, startTicks: 99 });
      expect(readIdentity(join(folder, 'other'))).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('run', () => {
  it('returns output and passes input on', async () => {
    await expect(run(['cat'], { input: 'hello' })).resolves.toEqual({ code: 0, stdout: 'hello', stderr: '' });
  });

  it('rejects with the end of the output when the command fails', async () => {
    await expect(run(['sh', '-c', 'echo went wrong >&2; exit 3'])).rejects.toThrow(/code 3\nwent wrong/);
  });

  it('resolves with the code when failures are allowed', async () => {
    await expect(run(['sh', '-c', 'exit 3'], { allowFailure: true })).resolves.toMatchObject({ code: 3 });
  });

  it('says which program is missing', async () => {
    await expect(run(['hostler-no-such-program'])).rejects.toThrow('Cannot run hostler-no-such-program');
  });

  it('ends the command and its children at the deadline', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostler-run-'));
    try {
      const script = `sleep 600 & echo "$$ $!" >pids.new; mv pids.new pids; wait`;
      const running = run(['sh', '-c', `cd ${folder}; ${script}`], { timeoutMs: 500 });
      await expect(running).rejects.toThrow(/no end after 0.5 s/);
      const pids = readFileSync(join(folder, 'pids'), 'utf8').trim().split(' ').map(Number);
      expect(pids).toHaveLength(2);
      for (const pid of pids) {
        const identity = identityOf(pid);
        if (identity !== undefined) await waitForExit(identity, 10_000);
        expect(identity === undefined || !isRunning(identity)).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('ends the command when it is cancelled', async () => {
    const controller = new AbortController();
    const running = run(['sleep', '600'], { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toThrow(/cancelled/);
  });
});
