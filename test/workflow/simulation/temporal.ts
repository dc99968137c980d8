import { Client } from '@temporalio/client';
import { createConnection } from './calls';
import { SimulatedRun } from './run';
import type { StartWorkflow } from './sdk';
import type { Tape } from './tape';
import type { createWorkers } from './workers';

/*
 * Temporal's server and Core, as far as the job sees them: runs (run.ts), their activities
 * (activity.ts), and the calls that src/ makes (calls.ts). Of a history it keeps the events that
 * src/ reads.
 *
 * test/system/temporal-rules.test.ts tries the rules of the server on a real one. A rule with
 * another source names it.
 */

export class SimulatedTemporal {
  readonly runs: SimulatedRun[] = [];
  readonly client = new Client({ connection: createConnection(this) });
  /** Of workflow tasks, each of which would be repeated for ever, and of the simulation itself. */
  readonly errors: unknown[] = [];
  workers!: ReturnType<typeof createWorkers>;
  awayUntilMs = 0;

  constructor(
    readonly tape: Tape,
    readonly startWorkflow: StartWorkflow,
    readonly say: (what: string) => void,
  ) {}

  get isAway(): boolean {
    return Date.now() < this.awayUntilMs;
  }

  /** While it is away, it takes no call, and nothing falls due. */
  goAway(ms: number): void {
    this.awayUntilMs = Date.now() + ms;
    this.say('Temporal is away');
    setTimeout(() => this.say('Temporal is back'), ms);
  }

  after(ms: number, work: () => unknown): void {
    setTimeout(() => {
      if (this.isAway) this.after(this.awayUntilMs - Date.now(), work);
      else void work();
    }, ms);
  }

  newestRun(workflowId: string): SimulatedRun | undefined {
    return this.runs.findLast((run) => run.workflowId === workflowId);
  }

  /** The result of the newest run of a schedule that completed. */
  lastResultOf(workflowId: string): unknown {
    const completed = this.runs.filter(({ status }) => status === 'COMPLETED');
    return completed.findLast((run) => run.workflowId === workflowId)?.ending;
  }

  /** Starts a run; null while one of its id is open (conflict policy FAIL). */
  start(
    type: string,
    workflowId: string,
    args: unknown[],
    parent?: SimulatedRun,
  ): SimulatedRun | null {
    // The start of a child comes with its parent's workflow task, which it has taken already.
    const isAway = this.isAway && !parent;
    if (isAway || this.newestRun(workflowId)?.status === 'RUNNING') return null;
    const run = new SimulatedRun(this, type, workflowId, args, parent);
    this.runs.push(run);
    return run;
  }

  /**
   * Resets a run to its first workflow task: that terminates the open run of its id, and starts
   * again with the same input. It repeats a cancel only if that task brought it.
   */
  reset(run: SimulatedRun): void {
    this.newestRun(run.workflowId)?.terminate();
    const again = this.start(run.type, run.workflowId, run.args);
    if (run.isCancelledAtStart) again?.requestCancel();
  }
}
