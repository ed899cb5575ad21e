import { whyNoHost } from '../../support/test-host.ts';
import { startTransferBench } from './real.ts';
import { transferContract } from './suite.ts';

transferContract('moves between hosts: Incus, btrfs', () => startTransferBench('incus', 'btrfs'), {
  skip: whyNoHost('incus'),
});
