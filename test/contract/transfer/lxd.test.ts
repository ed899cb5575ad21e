import { whyNoHost } from '../../support/test-host.ts';
import { startTransferBench } from './real.ts';
import { transferContract } from './suite.ts';

transferContract('moves between hosts: LXD', () => startTransferBench('lxd', 'dir'), {
  skip: whyNoHost('lxd'),
});
