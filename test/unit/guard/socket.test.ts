import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createGuardClient } from '../../../src/guard/client.ts';
import { defaultTiming } from '../../../src/plan/failover/timing.ts';
import { runGuard } from '../../../src/guard/guard.ts';
import { openMemoryFile } from '../../../src/guard/memory-file.ts';
import { emptyMemory } from '../../../src/guard/keeper.ts';
import { systemClock as clock } from '../../../src/ports/clock.ts';
import type { Guard } from '../../../src/ports/guard.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';

const never = new AbortController().signal;
const web = { instance: 'web--default', uid: 'u', term: 1 };
const lease = () => ({
  term: 1,
  deadlineMs: clock.monotonicMs() + 60_000,
  wallDeadlineMs: clock.nowMs() + 60_000,
  revoked: false,
  timing: defaultTiming,
  liveUntilMs: -Infinity,
  startMarginMs: 0,
});

describe('a guard and its client', () => {
  let folder: string;
  let stop: AbortController;
  let running: Promise<void>;
  let clients: Guard[];
  const socketPath = () => join(folder, 'guard.sock');
  const memory = () => openMemoryFile(join(folder, 'guard.json'), logger, 'boot-1');

  const startGuard = (): void => {
    stop = new AbortController();
    const stopper = { enforce: () => 0 };
    running = runGuard({ socketPath: socketPath(), clock, logger, memory: memory(), stopper }, stop.signal);
  };
  const stopGuard = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  const client = (launch = startGuard): Guard => {
    const made = createGuardClient({ socketPath: socketPath(), clock, launch });
    clients.push(made);
    return made;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostler-guard-'));
    stop = new AbortController();
    running = Promise.resolve();
    clients = [];
  });

  afterEach(async () => {
    for (const made of clients) made.close();
    await stopGuard();
    await rm(folder, { recursive: true });
  });

  it('is started by the first who wants it, takes orders, and answers; only its owner may speak to it', async () => {
    const guard = client();
    expect(await guard.connect(never)).toEqual({
      term: 0,
      deadlineMs: -Infinity,
      liveUntilMs: -Infinity,
      released: false,
      containers: [],
    });
    expect((await stat(socketPath())).mode & 0o777).toBe(0o600);
    await guard.order({ lease: lease(), containers: [web] }, never);
    expect(await guard.mayStart(web, never)).toBe(true);
    expect(await guard.mayStart({ ...web, term: 2 }, never)).toBe(false);
  });

  it('outlives its clients and remembers across its own restart; the loss is noticed at once', async () => {
    const first = client();
    await first.connect(never);
    await first.order({ lease: lease(), containers: [web] }, never);
    first.close();
    const second = client();
    expect(await second.connect(never)).toMatchObject({ term: 1, containers: [web] });
    const lost = new Promise<void>((resolve) => second.onLost(resolve));
    await stopGuard();
    await lost;
    await expect(second.mayStart(web, never)).rejects.toMatchObject({ code: 'Unavailable' });
    expect(await second.connect(never)).toMatchObject({ term: 1, containers: [web] });
    expect(await second.mayStart(web, never)).toBe(true);
  });

  it('makes way for another guard of the same folder', async () => {
    const guard = client();
    await guard.connect(never);
    const [firstStop, first] = [stop, running];
    startGuard();
    await first;
    firstStop.abort();
    expect(await client().connect(never)).toMatchObject({ term: 0 });
  });

  it('says that none is there when nobody may start one', async () => {
    const guard = createGuardClient({ socketPath: socketPath(), clock });
    await expect(guard.connect(never)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('keeps of an earlier boot only the list, and begins anew with what cannot be read', async () => {
    const file = memory();
    file.write({
      ...emptyMemory,
      guard: { term: 4, deadlineMs: 1e12 },
      wallDeadlineMs: 1e15,
      containers: [web],
    });
    await file.settled();
    expect(file.read()).toMatchObject({ guard: { term: 4, deadlineMs: 1e12 } });
    const afterReboot = openMemoryFile(join(folder, 'guard.json'), logger, 'boot-2').read();
    expect(afterReboot).toEqual({ ...emptyMemory, containers: [web] });
    await writeFile(join(folder, 'guard.json'), '{');
    expect(memory().read()).toEqual(emptyMemory);
  });
});
