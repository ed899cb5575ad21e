import { whyNoHost } from '../../support/test-host.ts';
import { startSocketBench } from './real-host.ts';
import { hostDriverContract } from './suite.ts';

hostDriverContract('Incus over its unix socket', () => startSocketBench('incus'), {
  skip: whyNoHost('incus'),
});
