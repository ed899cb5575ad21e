import { whyNoHost } from '../../support/test-host.ts';
import { startSharedBench } from './real.ts';
import { sharedRootContract } from './suite.ts';

sharedRootContract('roots on shared storage: LXD', () => startSharedBench('lxd'), { skip: whyNoHost('lxd') });
