import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { messageOf } from '../ports/errors.ts';

/**
 * The `hostler` program. A sub-command's code is loaded only when it is called: the Kubernetes and etcd clients take
 * longer to load than `hostler status` takes to run.
 */
interface Entry {
  name: string;
  description: string;
  load: () => Promise<Command>;
}

const entries: readonly Entry[] = [
  {
    name: 'up',
    description: 'bring up a whole cluster on this machine, for development and trials',
    load: async () => (await import('./up.ts')).upCommand(),
  },
  {
    name: 'down',
    description: 'end the cluster on this machine and remove everything of it',
    load: async () => (await import('./down.ts')).downCommand(),
  },
  {
    name: 'status',
    description: 'show the parts of the cluster on this machine',
    load: async () => (await import('./status.ts')).statusCommand(),
  },
  {
    name: 'exec',
    description: 'run a command inside a host of the cluster on this machine',
    load: async () => (await import('./exec.ts')).execCommand(),
  },
  {
    name: 'server',
    description: 'run the API server and the controllers in one process',
    load: async () => (await import('./server.ts')).serverCommand(),
  },
  {
    name: 'apiserver',
    description: 'run the API server alone',
    load: async () => (await import('./apiserver.ts')).apiserverCommand(),
  },
  {
    name: 'controller',
    description: 'run the controllers alone',
    load: async () => (await import('./controller.ts')).controllerCommand(),
  },
  {
    name: 'agent',
    description: 'run the agent of one host',
    load: async () => (await import('./agent.ts')).agentCommand(),
  },
  {
    name: 'guard',
    description: "stop a host's failover-eligible containers in time",
    load: async () => (await import('./guard.ts')).guardCommand(),
  },
  {
    name: 'doctor',
    description: 'look at this host: what works, what does not, and what to do about it',
    load: async () => (await import('./doctor.ts')).doctorCommand(),
  },
  {
    name: 'plan',
    description: 'show what would be done, without doing it: plan node-loss',
    load: async () => (await import('./plan.ts')).planCommand(),
  },
  {
    name: 'certificate',
    description: 'issue a client certificate, as a kubeconfig',
    load: async () => (await import('./certificate.ts')).certificateCommand(),
  },
  {
    name: 'forward',
    description: 'pass connections on a loopback port on to a unix socket',
    load: async () => (await import('./forward.ts')).forwardCommand(),
  },
];

async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('hostler')
    .description('A Kubernetes-style control plane for system containers on hosts that run Incus or LXD.')
    .version(version())
    .showHelpAfterError('(hostler --help shows what there is)');
  const called = argv[2] === 'help' ? argv[3] : argv[2];
  for (const { name, description, load } of entries) {
    if (name === called) program.addCommand(await load());
    else program.command(name).description(description);
  }
  await program.parseAsync([...argv]);
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

try {
  await main(process.argv);
} catch (error) {
  process.stderr.write(`hostler: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
