import { HostlerError } from '../ports/errors.ts';
import type { InstanceTransfers } from '../ports/host-transfer.ts';

/** Moves between daemons (ports/host-transfer). */
export function createTransfers(): InstanceTransfers {
  const refuse = async (): Promise<never> => {
    throw new HostlerError('Unavailable', 'this driver does not move instances yet');
  };
  return {
    getTransferFacts: refuse,
    offerTransfer: refuse,
    awaitTransfer: refuse,
    cancelTransfer: refuse,
    pullTransfer: refuse,
    acceptTransfer: refuse,
    dropTransfer: refuse,
  };
}
