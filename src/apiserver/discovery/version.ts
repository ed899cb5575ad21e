/** `/version`: which Kubernetes API this server speaks; kubectl compares it with its own. */
export const KUBERNETES_VERSION = { major: '1', minor: '32' };

export function versionDocument(hostlerVersion: string): object {
  const { major, minor } = KUBERNETES_VERSION;
  return {
    major,
    minor,
    gitVersion: `v${major}.${minor}.0+hostler-${hostlerVersion}`,
    gitCommit: '',
    gitTreeState: '',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: `node ${process.version}`,
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}
