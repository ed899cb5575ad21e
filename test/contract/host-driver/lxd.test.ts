import { whyNoHost } from '../../support/test-host.ts';
import { startSocketBench } from './real-host.ts';
import { hostDriverContract } from './suite.ts';

hostDriverContract('LXD over its unix socket', () => startSocketBench('lxd'), { skip: whyNoHost('lxd') });
