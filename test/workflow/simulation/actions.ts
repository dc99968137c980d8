import { redeliver } from '../../../src/commands/runs/send-redeliver';
import { start as startAndFollow } from '../../../src/commands/runs/start-requests';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { sleep } from './clock';
import { runCommand } from './commands';
import { GIVE_UP_AFTER_MS } from './config';
import type { SimulatedRun } from './run';
import type { Tape } from './tape';
import type { SimulatedWorker } from './workers';
import type { World } from './world';

/*
 * What people do, and what disturbs workers and servers for longer than a request.
 */

type Request = World['requests'][number];
type Action = (run: SimulatedRun, of: Request) => unknown;

/** The actions of which several in one simulation show most. */
const MORE_OFTEN = ['start again', 'terminate', 'a server fails', 'Temporal is away'];
/** A cancel may come together with every other action. */
const CANCELS = [...Array<boolean>(9).fill(false), true];
/** A command that waits looks at its runs every second, which takes the simulation long. */
const WAITS = [...Array<undefined>(9).fill(undefined), true] as const;

/** @param pairCount the number of pairs that a wave starts. */
export function createActions(tape: Tape, world: World, pairCount: number) {
  const { temporal, workers, atlas, requests, keepBusy, start } = world;

  const command = (work: Parameters<typeof runCommand>[1]) =>
    keepBusy(() => runCommand(world, work));
  const awaitDelivery = (run: SimulatedRun, of: unknown) =>
    run.update('awaitDelivery', [of], () => undefined);

  const redeliverTo =
    (sink: string): Action =>
    ({ workflowId }) => {
      command((context) => redeliver(context, workflowId, sink));
    };

  function schedule(of: Request): void {
    const input = { request: of, always: tape.pick([false, true]) };
    temporal.start(WORKFLOW_TYPES.prepareOnSchedule, `schedule ${of.sink}`, [input]);
  }

  /** Other services start with the Update, which is in the first activation. */
  function startSomehow(of: Request): void {
    const wait = tape.pick(WAITS);
    const ways = {
      alone: () => start(of),
      'with an Update'() {
        const run = start(of);
        if (run) awaitDelivery(run, of);
      },
      'by a schedule': () => schedule(of),
      'by a command': () =>
        command((context) =>
          startAndFollow(context, [{ workflowId: workflowIdFor(of), request: of }], wait),
        ),
    };
    tape.pick(Object.values(ways))();
  }

  /** Starts a wave by a command. */
  function startAll(change: object): void {
    const wave = requests.slice(0, pairCount).map((of, index) => ({
      workflowId: workflowIdFor(of),
      line: index + 1,
      request: { ...of, ...change },
    }));
    const wait = tape.pick(WAITS);
    command((context) => startAndFollow(context, wave, wait));
  }

  /** Disturbs a worker; somebody starts another one in the place of one that is gone. */
  const disturb =
    (what: (worker: SimulatedWorker) => void): Action =>
    () => {
      const worker = tape.pick(workers.living()) as SimulatedWorker | undefined;
      if (!worker) return;
      what(worker);
      if (workers.living().includes(worker)) return;
      keepBusy(() => sleep(tape.pick([100, 30_000])).then(() => workers.boot()));
    };

  function resetActivity({ activities }: SimulatedRun): void {
    for (const activity of activities.values()) activity.reset();
  }

  function startAgain(run: SimulatedRun, of: Request): void {
    const again = tape.pick([run, ...world.runsOf(of)]).runId;
    start(tape.pick([{ ...of, again: true }, of, { ...of, again }, { ...of, again }]));
  }

  function failServer(): void {
    const server = tape.pick(['atlas', 'hook', 'archive', 'vault', 'source']);
    world.failsUntilMs.set(`${server}.test`, Date.now() + tape.pick([30_000, 200_000, 900_000]));
    world.say(`${server} fails`);
  }

  /** Those that need Temporal. */
  const ofRuns: Record<string, Action> = {
    nothing: () => undefined,
    cancel: (run) => run.requestCancel(),
    'redeliver to hook': redeliverTo('hook'),
    'redeliver to archive': redeliverTo('archive'),
    'redeliver to vault': redeliverTo('vault'),
    'redeliver to nowhere': redeliverTo('nowhere'),
    'redeliver all': () => command((context) => redeliver(context, null)),
    'await the delivery': (run) => run.isOpen && awaitDelivery(run, run.args[0]),
    'start again': startAgain,
    'start all again': () => startAll({ again: true }),
    start: (_run, of) => startSomehow(of),
    schedule: (_run, of) => schedule(of),
    terminate: (run) => run.terminate(),
    reset: (run) => temporal.reset(run),
    'an activity is reset': resetActivity,
    'api-keys': () => world.look(),
  };
  const ofOthers: Record<string, Action> = {
    'Temporal is away': () => temporal.goAway(tape.pick([3000, 30_000, 55_000])),
    'a key by hand': (_run, of) => atlas.makeKeyByHand(of.orgId),
    'a server fails': failServer,
    'a worker freezes': disturb((worker) =>
      worker.freeze(tape.pick([4000, 15_000, 70_000, 200_000])),
    ),
    'a worker is killed': disturb((worker) => worker.kill()),
    'a worker stops': disturb((worker) =>
      keepBusy(() => worker.stop(tape.pick([GIVE_UP_AFTER_MS, 0]))),
    ),
    // A worker restarts with the new key.
    'the sealing key rotates': disturb((worker) => {
      workers.rotateSealingKey();
      worker.kill();
    }),
  };

  return {
    startSomehow,
    startAll,
    names: [...Object.keys(ofRuns), ...Object.keys(ofOthers), ...MORE_OFTEN],

    async act(name: string): Promise<void> {
      world.say(`people: ${name}`);
      const of = tape.pick(requests);
      const run = temporal.newestRun(workflowIdFor(of)) ?? temporal.runs[0];
      const action = temporal.isAway && name in ofRuns ? null : { ...ofRuns, ...ofOthers }[name];
      if (!run) return;
      if (tape.pick(CANCELS) && !temporal.isAway) run.requestCancel();
      await action?.(run, of);
    },
  };
}
