import type { ProcessIdentity } from '../../src/cmd/local/process.ts';
import type { Fault } from './schedule.ts';

/** What a fault did, and how it is taken back. */
export interface Injected {
  /** For the log: `SIGSTOP agent of host-2 (pid 4711)`. */
  says: string;
  /** Idempotent. */
  undo(): Promise<void>;
}

export const NOTHING = async (): Promise<void> => {};

export const ofHost = ({ host }: Fault): string => (host === undefined ? '' : ` of ${host}`);
export const ofProcess = (fault: Fault, { pid }: ProcessIdentity): string =>
  ` ${fault.what.split('-')[1]}${ofHost(fault)} (pid ${pid})`;
