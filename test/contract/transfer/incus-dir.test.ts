import { whyNoHost } from '../../support/test-host.ts';
import { startTransferBench } from './real.ts';
import { transferContract } from './suite.ts';

transferContract('moves between hosts: Incus, dir', () => startTransferBench('incus', 'dir'), {
  skip: whyNoHost('incus'),
});
