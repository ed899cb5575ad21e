import { API_VERSION } from '../../crds/kind.ts';
import { nodeKind } from '../../crds/node.ts';
import type { EventRecorder } from '../../ports/event-recorder.ts';

/** Whether the agent's disk takes the desired state, for the Node's conditions and events. */
export interface SavingReport {
  /** As SaverDeps.onSaving. */
  note: (fault: string | undefined) => void;
  /** Undefined: nothing was written yet. */
  verdict: () => SavingVerdict | undefined;
}

export interface SavingVerdict {
  /** Why the last write was refused; absent: it was not. */
  fault?: string;
}

export interface SavingReportDeps {
  nodeName: string;
  events: EventRecorder;
  onChange: () => void;
}

export function createSavingReport({ nodeName, events, onChange }: SavingReportDeps): SavingReport {
  const about = { apiVersion: API_VERSION, kind: nodeKind.kind, name: nodeName };
  let verdict: SavingVerdict | undefined;
  return {
    note(fault) {
      if (fault !== undefined) events.record(about, 'Warning', 'DesiredStateNotSaved', fault);
      else if (verdict?.fault !== undefined)
        events.record(about, 'Normal', 'DesiredStateSaved', 'The desired state is saved again');
      verdict = fault === undefined ? {} : { fault };
      onChange();
    },
    verdict: () => verdict,
  };
}
