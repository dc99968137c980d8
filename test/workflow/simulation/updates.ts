import { randomUUID } from 'node:crypto';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { decode, type Failure } from './resolutions';
import type { Command, Job } from './sdk';

/** An Update, and what its caller gets. */
export interface SimulatedUpdate {
  name: string;
  /** That the caller of `redeliver` names. */
  sink: string | undefined;
  /** The activation that accepted it; null if none did: then it leaves no trace. */
  acceptedIn: number | null;
  /** The activation that gave its outcome, and that. */
  endedIn: number | null;
  outcome: { result: unknown } | { failure: Failure } | null;
  onEnd: () => void;
}

/** The Updates of a run, by their ids. */
export class SimulatedUpdates extends Map<string, SimulatedUpdate> {
  /**
   * @param onEnd is called with the outcome, or when the run ends without.
   * @returns the job that brings a new one to the workflow.
   */
  create(name: string, args: readonly unknown[], onEnd: (update: SimulatedUpdate) => void): Job {
    const id = randomUUID();
    const input = args.map((arg) => payloadConverter.toPayload(arg)) as never[];
    const { sink } = name === 'redeliver' ? (args[0] as { sink?: string }) : {};
    const update = { name, sink, acceptedIn: null, endedIn: null, outcome: null };
    this.set(id, {
      ...update,
      onEnd() {
        onEnd(this);
      },
    });
    const meta = { updateId: id, identity: '' };
    return { doUpdate: { id, protocolInstanceId: id, name, input, meta, runValidator: true } };
  }

  /** @returns the Update that an activation accepted, if that is what the workflow responds. */
  takeResponse(
    { protocolInstanceId, accepted, rejected, completed }: NonNullable<Command['updateResponse']>,
    activation: number,
  ): SimulatedUpdate | null {
    const update = this.get(String(protocolInstanceId)) as SimulatedUpdate;
    if (accepted) {
      update.acceptedIn = activation;
      return update;
    }
    update.endedIn = activation;
    update.outcome = completed ? { result: decode(completed) } : { failure: rejected as Failure };
    update.onEnd();
    return null;
  }

  /** The run has ended, so that nobody waits any longer. */
  end(): void {
    for (const update of this.values()) {
      if (update.outcome === null) update.onEnd();
    }
  }
}
