import { whyNoHost } from '../../support/test-host.ts';
import { startHttpsBench } from './real-host.ts';
import { hostDriverContract } from './suite.ts';

hostDriverContract('Incus over HTTPS', () => startHttpsBench('incus'), {
  skip: whyNoHost('incus'),
  canLoseReplies: false,
});
