import { startEmbeddedEtcd } from '../../src/etcd/process.ts';
import { silentLogger } from '../../src/ports/logger.ts';

/** A server that does nothing but keep an embedded etcd. Argument: the data folder. Prints `<etcd's pid> <endpoint>`. */
const etcd = await startEmbeddedEtcd({
  dataDir: process.argv[2] ?? '',
  listenClientUrl: 'http://127.0.0.1:0',
  logger: silentLogger,
  signal: new AbortController().signal,
});
process.once('SIGTERM', () => void etcd.stop());
process.stdout.write(`${etcd.pid} ${etcd.endpoint}\n`);
await etcd.exited;
