import { afterAll, beforeAll, describe } from '@jest/globals';
import type { Bench } from './harness.ts';
import { daemonContract } from './suite-daemon.ts';
import { endContract } from './suite-ends.ts';
import { imageContract } from './suite-images.ts';
import { instanceContract } from './suite-instances.ts';
import { poolContract } from './suite-pools.ts';

/**
 * What every HostDriver must do, run against the fake and against real daemons. One host serves all tests of a file: each
 * test uses names of its own and removes what it made.
 * @param skip why there is no such host here
 */
export function hostDriverContract(
  title: string,
  start: () => Promise<Bench>,
  { skip, canLoseReplies = true }: { skip?: string | undefined; canLoseReplies?: boolean } = {},
): void {
  const section = skip === undefined ? describe : describe.skip;
  section(skip === undefined ? title : `${title}: skipped: ${skip}`, () => {
    let bench: Bench | undefined;
    const get = (): Bench => {
      if (bench === undefined) throw new Error('the host has not started');
      return bench;
    };
    beforeAll(async () => {
      bench = await start();
    }, 90_000);
    afterAll(async () => {
      await bench?.stop();
    }, 60_000);
    imageContract(get);
    instanceContract(get, { canLoseReplies });
    endContract(get);
    poolContract(get, { canLoseReplies });
    daemonContract(get);
  });
}
