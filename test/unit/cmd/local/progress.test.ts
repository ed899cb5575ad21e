import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgress, endOfLog } from '../../../../src/cmd/local/progress.ts';

function trial(isTTY: boolean) {
  let written = '';
  let nowMs = 0;
  const output = { isTTY, write: (text: string) => (written += text) };
  const progress = createProgress(output, () => nowMs);
  return { progress, written: () => written, advance: (ms: number) => (nowMs += ms) };
}

describe('progress', () => {
  it('writes one plain line per step, with its time, where there is no terminal', async () => {
    const { progress, written, advance } = trial(false);
    const outcome = await progress.step('Network', async (say) => {
      say('half-way');
      advance(1234);
      return 'done';
    });
    expect(outcome).toBe('done');
    expect(written()).toBe('✔ Network (1.2 s)\n');
  });

  it('says nothing of a step that had nothing to do', async () => {
    const { progress, written } = trial(false);
    await progress.step('Network', async () => 'unchanged');
    expect(written()).toBe('');
  });

  it('says which step failed, and passes the error on', async () => {
    const { progress, written } = trial(false);
    const failure = new Error('no such bridge');
    await expect(progress.step('Network', () => Promise.reject(failure))).rejects.toBe(failure);
    expect(written()).toBe('✘ Network failed after 0.0 s\n');
  });

  it('shows how far a step is on a terminal, and clears the line at its end', async () => {
    const { progress, written } = trial(true);
    await progress.step('Hosts', async (say) => {
      say('1 of 3');
      return 'done';
    });
    expect(written()).toContain('Hosts 0.0 s: 1 of 3');
    const [last = ''] = written().split('\r\u001B[K').slice(-1);
    expect(last).toContain('✔');
    expect(last).toMatch(/ Hosts \(0\.0 s\)\n$/);
  });
});

describe('end of a log', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hostler-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is its last lines', () => {
    writeFileSync(join(folder, 'log'), 'one\ntwo\nthree\n');
    expect(endOfLog(join(folder, 'log'), 2)).toBe('    two\n    three\n');
  });

  it('is empty for an empty log, and says so when there is none', () => {
    writeFileSync(join(folder, 'log'), '\n');
    expect(endOfLog(join(folder, 'log'))).toBe('');
    expect(endOfLog(join(folder, 'other'))).toBe('    (cannot be read: ENOENT)\n');
  });
});
