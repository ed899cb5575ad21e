import { closeSync, openSync, writeSync } from 'node:fs';

/**
 * The kernel's watchdog: once it is open the machine is reset unless somebody writes to it often enough. The guard does
 * as long as it has done its duty: a guard that hangs, or cannot stop a container, is then fenced by the hardware.
 */
export interface Watchdog {
  feed(): void;
  /** Ends it without a reset, where the driver allows that (it does not with `nowayout`). */
  disarm(): void;
  /** Lets go of it without ending it: the machine is reset, unless another guard feeds it in time. */
  leave(): void;
}

/** What a driver wants to read last: a device that is closed without it counts as a program that has died. */
const DISARM = 'V';

/** @throws Error when it is not there, or another process has it */
export function openWatchdog(path: string): Watchdog {
  let file: number | undefined = openSync(path, 'w');
  const close = (): void => {
    if (file !== undefined) closeSync(file);
    file = undefined;
  };
  return {
    feed() {
      if (file !== undefined) writeSync(file, '.');
    },
    disarm() {
      if (file !== undefined) writeSync(file, DISARM);
      close();
    },
    leave: close,
  };
}
