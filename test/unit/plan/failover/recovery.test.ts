import { describe, expect, it } from '@jest/globals';
import { planRecovery } from '../../../../src/plan/failover/recovery.ts';

const revoked = { node: 'host-1', holder: '', term: 3, rejoinAsked: false };
const held = { ...revoked, holder: 'host-1' };
const web = { key: 'default/web', nodeName: 'host-1', term: 3 };
const toHost2 = () => 'host-2';
const nowhere = () => undefined;

describe('planRecovery', () => {
  it('moves what a revoked node had', () => {
    expect(planRecovery(revoked, [web], toHost2)).toEqual([
      { do: 'move', key: 'default/web', target: 'host-2' },
    ]);
  });

  it('never moves what was re-affirmed after the revocation that it sees', () => {
    expect(planRecovery(revoked, [{ ...web, term: 4 }], toHost2)).toEqual([]);
  });

  it('lets a node back in only once every container is decided about', () => {
    const asking = { ...revoked, rejoinAsked: true };
    expect(planRecovery(asking, [web], toHost2)).toEqual([
      { do: 'move', key: 'default/web', target: 'host-2' },
    ]);
    expect(planRecovery(asking, [web], nowhere)).toEqual([{ do: 'grant', term: 4 }]);
    expect(planRecovery(asking, [], nowhere)).toEqual([{ do: 'grant', term: 4 }]);
  });

  it('grants a term above all that its containers carry, should the lease have been made anew', () => {
    const anew = { node: 'host-1', holder: '', term: 0, rejoinAsked: true };
    expect(planRecovery(anew, [{ ...web, term: 7 }], nowhere)).toEqual([{ do: 'grant', term: 8 }]);
  });

  it('re-affirms what stays, upwards only', () => {
    const stale = { ...web, key: 'default/db', term: 2 };
    const newer = { ...web, key: 'default/new', term: 4 };
    expect(planRecovery(held, [web, stale, newer], toHost2)).toEqual([
      { do: 'reaffirm', key: 'default/db', term: 3 },
    ]);
  });
});
