import { Command } from 'commander';
import { messageOf } from '../../src/ports/errors.ts';

/** Commands of `hostler` straight from the sources, for tests that must not need a build. */
const commands: Record<string, () => Promise<Command>> = {
  server: async () => (await import('../../src/cmd/server.ts')).serverCommand(),
  controller: async () => (await import('../../src/cmd/controller.ts')).controllerCommand(),
  plan: async () => (await import('../../src/cmd/plan.ts')).planCommand(),
  agent: async () => (await import('../../src/cmd/agent.ts')).agentCommand(),
  guard: async () => (await import('../../src/cmd/guard.ts')).guardCommand(),
  apiserver: async () => (await import('../../src/cmd/apiserver.ts')).apiserverCommand(),
};

try {
  const load = commands[process.argv[2] ?? ''];
  if (load === undefined) throw new Error(`No such command: ${process.argv[2]}`);
  const program = new Command('hostler').version('0.0.0-test').addCommand(await load());
  await program.parseAsync(process.argv);
} catch (error) {
  process.stderr.write(`hostler: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
