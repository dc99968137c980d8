import type { Info } from '@temporalio/activity';
import { Client } from '@temporalio/client';
import { createActivities } from '../../../src/activities';
import type { Config } from '../../../src/config';
import { addAttemptTimeouts } from '../../../src/config/attempt-timeouts';
import { createServices } from '../../../src/config/services';
import { makeKey } from '../../../src/secrets/sealing';
import type { Activities } from '../../../src/shared/activities';
import type { SimulatedActivity } from './activity';
import { createConnection } from './calls';
import { byClock, instantly, nowMs, sleep } from './clock';
import type { CONFIGS } from './config';
import { surroundings, type Process } from './network';
import type { watchRequests } from './requests';
import type { Report } from './resolutions';
import { createAttempt } from './sdk';
import { KeyFile } from './sealing';
import type { SimulatedTemporal } from './temporal';

/*
 * Workers: processes with the real activities and services, that are frozen, killed and stopped,
 * and whose clocks are wrong. A frozen one goes on later where it was: nothing enters or leaves it
 * meanwhile.
 */

/**
 * Core repeats the report of an attempt for ten seconds, then drops it: without the wait for
 * Temporal, test/system/faults/temporal-away.test.ts fails.
 */
const REPORT_TRIES = 10;

const FATES_OF_REPORTS = [...Array<string>(60).fill('sent'), 'hangs'];

type Call = (...args: unknown[]) => Promise<unknown>;
type Services = Awaited<ReturnType<typeof createServices>>;

type Watch = Pick<ReturnType<typeof watchRequests>, 'onReport' | 'onArrival'>;

/** Ends what a killed worker does. */
class KilledError extends Error {}

export class SimulatedWorker implements Process {
  readonly clock = { errorMs: 0 };
  isKilled = false;
  isStopping = false;
  /** Whether its configuration lacks the sinks that somebody has added. */
  isOutdated = false;
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
    readonly keyFile: KeyFile,
  ) {
    this.client = new Client({ connection: createConnection(temporal, this) });
  }

  /** Makes the services: their caches and circuit breakers are those of this process. */
  async boot(config: Config): Promise<this> {
    surroundings.process = this;
    const sealing = this.keyFile.createSealing();
    this.services = await instantly(() => createServices({ ...config, sealing }));
    const retries = addAttemptTimeouts(config);
    const { minimumTokenAgeMs } = config.schedules;
    this.activities = createActivities(this.services, retries, minimumTokenAgeMs);
    return this;
  }

  setClock(errorMs: number): void {
    this.clock.errorMs = errorMs;
    if (errorMs !== 0) this.temporal.say(`${this.name} has a clock wrong by ${errorMs / 1000} s`);
  }

  get isFrozen(): boolean {
    return nowMs() < this.frozenUntilMs;
  }

  /** Tells whether Temporal may hand a task to it: a frozen worker gets one more. */
  get polls(): boolean {
    return !this.isKilled && !this.isStopping && (!this.isFrozen || this.hasOpenPoll);
  }

  /** @throws KilledError */
  async awake(): Promise<void> {
    // The timers of the process that are due fire first.
    while (this.isFrozen) await sleep(this.frozenUntilMs - nowMs() + 1);
    if (this.isKilled) throw new KilledError('the worker was killed');
  }

  freeze(ms: number): void {
    this.temporal.say(`${this.name} freezes for ${ms / 1000} s`);
    this.frozenUntilMs = nowMs() + ms;
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
    return (...args) => byClock(this.clock, () => (work as Call)(...args));
  }

  /** Local activities run within a workflow task, which no worker leaves in the middle here. */
  runLocal(info: Partial<Info>, type: string, args: unknown[]): Promise<Report> {
    const { client } = this.temporal;
    const options = { client, onHeartbeat: () => undefined };
    return createAttempt(info, this.findWork(type), options).run(args);
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
    activity.begunMs.set(attempt, nowMs());
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
    const problem = this.keyFile.findProblem(activity, report);
    if (problem) this.temporal.errors.push(problem);
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
    this.watch.onArrival(activity, attempt);
    activity.takeReport(attempt, report);
  }
}

/** The workers of a task queue. */
export function createWorkers(
  temporal: SimulatedTemporal,
  { current, outdated }: (typeof CONFIGS)[number],
  watch: Watch,
) {
  /** In a quarter of the runs somebody is adding sinks, which not every worker knows yet. */
  const configs = temporal.tape.pick([[current], [current], [current], [current, outdated]]);
  const all: SimulatedWorker[] = [];
  const dropped: SimulatedActivity[] = [];
  let keys = [makeKey(new Date())];
  let booting: Promise<unknown> = Promise.resolve();
  const living = () => all.filter(({ isKilled, isStopping }) => !isKilled && !isStopping);

  return {
    all,
    living,
    dropped,

    /** One after the other: an agent belongs to the process that is set when it is made. */
    boot(): Promise<SimulatedWorker> {
      const config = temporal.tape.pick(configs);
      booting = booting.then(async () => {
        const worker = new SimulatedWorker(
          `w${all.length + 1}`,
          temporal,
          watch,
          dropped,
          new KeyFile(keys),
        );
        worker.isOutdated = config === outdated;
        if (worker.isOutdated) temporal.say(`${worker.name} has an outdated configuration`);
        all.push(await worker.boot(config));
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
      for (const { keyFile } of sets ? living() : []) keyFile.keys = sets ?? [];
    },

    repairSealingKeys(): void {
      for (const { keyFile } of all) keyFile.keys = keys;
    },

    isPolled: () => living().some(({ isFrozen }) => !isFrozen),

    pickForWorkflowTask(): SimulatedWorker {
      return temporal.tape.pick(living().length > 0 ? living() : all);
    },

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
