import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from '@jest/globals';
import { clockShim } from './wall-clock.ts';

const HOUR_MS = 3_600_000;
const PROGRAM = `const begunMs = performance.now();
setInterval(() => console.log(JSON.stringify({
  pid: process.pid, wallMs: Date.now(), runMs: performance.now() - begunMs, preload: process.env.LD_PRELOAD,
})), 100);`;

it('the wall clock of one process is set while it runs, and its monotonic clock stays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hostler-clock-'));
  const clock = join(folder, 'clock');
  writeFileSync(join(folder, 'program.mjs'), PROGRAM);
  writeFileSync(join(folder, 'shim.mjs'), clockShim(join(folder, 'program.mjs'), clock));
  const child = spawn(process.execPath, [join(folder, 'shim.mjs'), 'agent'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const seen: { offsetHours: number; pid: number; runMs: number; preload?: string }[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const said = JSON.parse(line) as { pid: number; wallMs: number; runMs: number; preload?: string };
      seen.push({ ...said, offsetHours: Math.round((said.wallMs - Date.now()) / HOUR_MS) });
      const { offsetHours } = seen.at(-1) as (typeof seen)[number];
      if (seen.length === 1) writeFileSync(`${clock}-agent`, '-7200\n');
      if (offsetHours === -2) writeFileSync(`${clock}-agent`, '+3600\n');
      if (offsetHours === 1) break;
    }
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(folder, { recursive: true });
  }
  expect([...new Set(seen.map(({ offsetHours }) => offsetHours))]).toEqual([0, -2, 1]);
  expect(seen.every(({ pid, preload }) => pid === child.pid && preload === undefined)).toBe(true);
  const runs = seen.map(({ runMs }) => runMs);
  expect(runs).toEqual([...runs].sort((one, other) => one - other));
  expect(runs.at(-1)).toBeLessThan(HOUR_MS / 2);
}, 60_000);
