import type { Info } from '@temporalio/activity';
import { Client } from '@temporalio/client';
import { createActivities } from '../../../src/activities';
import { addAttemptTimeouts } from '../../../src/config/attempt-timeouts';
import { createServices } from '../../../src/config/services';
import { createSealer, makeKey } from '../../../src/secrets/sealing';
import type { Activities } from '../../../src/shared/activities';
import type { SimulatedActivity } from './activity';
import { createConnection } from './calls';
import { instantly, sleep } from './clock';
import { CONFIG } from './config';
import { surroundings, type Process } from './network';
import type { watchRequests } from './requests';
import { createAttempt } from './sdk';
import type { SimulatedTemporal } from './temporal';

/*
 * Workers: processes with the real activities and services, that are frozen, killed and stopped. A
 * frozen one goes on later where it was: nothing enters or leaves it meanwhile.
 */

/**
 * Core repeats the report of an attempt for ten seconds, then drops it: without the wait for
 * Temporal, test/system/faults/temporal-away.test.ts fails.
 */
const REPORT_TRIES = 10;

const FATES_OF_REPORTS = [...Array<string>(60).fill('sent'), 'hangs'];

type Call = (...args: unknown[]) => Promise<unknown>;
type Services = Awaited<ReturnType<typeof createServices>>;

type Watch = Pick<ReturnType<typeof watchRequests>, 'onReport'>;

/** Ends what a killed worker does. */
class KilledError extends Error {}

export class SimulatedWorker implements Process {
  isKilled = false;
  isStopping = false;
  private readonly underWay = new Set<ReturnType<typeof createAttempt>>();
  frozenUntilMs = 0;
  /** A poll that was under way when the worker froze. */
  private hasOpenPoll = false;
  private readonly client: Client;
  private services!: Services;
  private activities!: Activities;

  constructor(
    readonly name: string,
    private readonly temporal: SimulatedTemporal,
    private readonly watch: Watch,
    /** Reports that Core dropped. */
    private readonly dropped: SimulatedActivity[],
    /** In its file. The first one seals, and all of them open. */
    public sealingKeys: readonly ReturnType<typeof makeKey>[],
  ) {
    this.client = new Client({ connection: createConnection(temporal, this) });
  }

  /** Makes the services: their caches and circuit breakers are those of this process. */
  async boot(): Promise<this> {
    surroundings.process = this;
    const sealer = createSealer(() => JSON.stringify({ keys: this.sealingKeys }));
    const sealing: typeof sealer = {
      ...sealer,
      seal: (...args) => instantly(() => sealer.seal(...args)),
      open: (...args) => instantly(() => sealer.open(...args)),
    };
    this.services = await instantly(() => createServices({ ...CONFIG, sealing }));
    const retries = addAttemptTimeouts(CONFIG);
    const { minimumTokenAgeMs } = CONFIG.schedules;
    this.activities = createActivities(this.services, retries, minimumTokenAgeMs);
    return this;
  }

  get isFrozen(): boolean {
    return Date.now() < this.frozenUntilMs;
  }

  /** Tells whether Temporal may hand a task to it: a frozen worker gets one more. */
  get polls(): boolean {
    return !this.isKilled && !this.isStopping && (!this.isFrozen || this.hasOpenPoll);
  }

  /** @throws KilledError */
  async awake(): Promise<void> {
    // The timers of the process that are due fire first.
    while (this.isFrozen) await sleep(this.frozenUntilMs - Date.now() + 1);
    if (this.isKilled) throw new KilledError('the worker was killed');
  }

  freeze(ms: number): void {
    this.temporal.say(`${this.name} freezes for ${ms / 1000} s`);
    this.frozenUntilMs = Date.now() + ms;
    this.hasOpenPoll = true;
  }

  kill(): void {
    if (this.isKilled) return;
    this.temporal.say(`${this.name} is killed`);
    this.isKilled = true;
    this.frozenUntilMs = 0;
  }

  /** Stops it: it takes no task, and after the grace period ends what is under way. */
  async stop(graceMs: number): Promise<void> {
    this.temporal.say(`${this.name} stops in ${graceMs / 1000} s`);
    this.isStopping = true;
    await sleep(graceMs);
    for (const attempt of this.underWay) attempt.cancel('WORKER_SHUTDOWN');
    while (this.underWay.size > 0 && !this.isKilled) await sleep(1000);
    await this.services.atlas.close();
    this.isKilled = true;
  }

  private findWork(type: string): Call {
    const { [type]: work } = this.activities as unknown as Record<string, Call>;
    return work as Call;
  }

  /** No worker is known to do this: it tries what start-to-close is for. */
  private async hang(activity: SimulatedActivity, attempt: number): Promise<void> {
    this.temporal.say(`${this.name} hangs in #${activity.id}`);
    activity.isHung = true;
    while (this.temporal.isAway || activity.takeHeartbeat(attempt)) {
      await sleep(5000);
      await this.awake();
    }
  }

  async runAttempt(activity: SimulatedActivity, info: Partial<Info>): Promise<void> {
    const { attempt } = activity;
    this.hasOpenPoll = false;
    await this.awake();
    activity.begunMs.set(attempt, Date.now());
    // A cancellation, and that it is over, reach an attempt with the response to a heartbeat
    // (test/system/runs/endings.test.ts: a cancel to an attempt that hangs).
    const onHeartbeat = () => {
      if (this.temporal.isAway || this.isKilled || this.isFrozen) return;
      if (!activity.takeHeartbeat(attempt)) execution.cancel('NOT_FOUND');
      else if (activity.isCancelRequested) execution.cancel('CANCELLED');
      else if (activity.isReset) execution.cancel('RESET');
    };
    const options = { client: this.client, onHeartbeat };
    const execution = createAttempt(info, this.findWork(activity.type), options);
    this.underWay.add(execution);
    const report = await execution.run(activity.args);
    this.underWay.delete(execution);
    this.watch.onReport(activity, attempt, report);
    await this.awake();
    if (this.temporal.tape.pick(FATES_OF_REPORTS) === 'hangs') await this.hang(activity, attempt);
    for (let tries = 0; this.temporal.isAway; tries += 1) {
      if (tries === REPORT_TRIES) {
        // The wait of a frozen worker may be over when it goes on.
        const wasFrozen = this.frozenUntilMs > (activity.begunMs.get(attempt) ?? 0);
        if (activity.isUnderWay(attempt) && !wasFrozen) this.dropped.push(activity);
        this.temporal.say(`${this.name} drops the report of #${activity.id}`);
        return;
      }
      await sleep(1000);
    }
    activity.takeReport(attempt, report);
  }
}

/** The workers of a task queue. */
export function createWorkers(temporal: SimulatedTemporal, watch: Watch) {
  const all: SimulatedWorker[] = [];
  const dropped: SimulatedActivity[] = [];
  let keys = [makeKey(new Date())];
  let booting: Promise<unknown> = Promise.resolve();
  const living = () => all.filter(({ isKilled, isStopping }) => !isKilled && !isStopping);

  return {
    all,
    living,
    dropped,

    /** One after the other: a sender belongs to the process that is set when it is made. */
    boot(): Promise<SimulatedWorker> {
      booting = booting.then(async () => {
        const name = `w${all.length + 1}`;
        const worker = new SimulatedWorker(name, temporal, watch, dropped, keys);
        all.push(await worker.boot());
        return worker;
      });
      return booting as Promise<SimulatedWorker>;
    },

    /** A new key seals. Workers that run get it with the former ones, in their place, or not yet. */
    rotateSealingKey(): void {
      const key = makeKey(new Date());
      temporal.say(`sealing key ${key.kid}`);
      keys = [key, ...keys];
      const sets = temporal.tape.pick([null, keys, [key]]);
      for (const worker of sets ? living() : []) worker.sealingKeys = sets ?? [];
    },

    repairSealingKeys(): void {
      for (const worker of all) worker.sealingKeys = keys;
    },

    isPolled: () => living().some(({ isFrozen }) => !isFrozen),

    /** @returns the worker that takes the attempt; null if none polls. */
    runAttempt(activity: SimulatedActivity): SimulatedWorker | null {
      const polling = all.filter(({ polls }) => polls);
      if (polling.length === 0) return null;
      const { run, type, id, attempt, number } = activity;
      const info: Partial<Info> = {
        activityId: id,
        activityType: type,
        attempt: number,
        workflowType: run.type,
        workflowExecution: { workflowId: run.workflowId, runId: run.runId },
        taskToken: Buffer.from(`${run.runId} ${id} ${attempt}`),
        scheduledTimestampMs: activity.scheduledAtMs,
        currentAttemptScheduledTimestampMs: activity.attemptScheduledAtMs,
        scheduleToCloseTimeoutMs: activity.scheduleToCloseMs,
        startToCloseTimeoutMs: activity.startToCloseMs,
        heartbeatTimeoutMs: activity.heartbeatTimeoutMs,
      };
      const worker = temporal.tape.pick(polling);
      worker.runAttempt(activity, info).catch((error: unknown) => {
        if (!(error instanceof KilledError)) temporal.errors.push(error);
      });
      return worker;
    },
  };
}
