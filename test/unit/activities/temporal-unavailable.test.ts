import { temporalUnavailable } from '../../../src/activities/temporal-unavailable';
import { GRPC } from '../../../src/temporal/grpc';

it.each([
  ['PERMISSION_DENIED', 'not retried', GRPC.permissionDenied, 'grant the permission'],
  [
    'UNIMPLEMENTED',
    'not retried',
    GRPC.unimplemented,
    'use a server and a visibility store that list',
  ],
  [
    'INVALID_ARGUMENT',
    'not retried',
    GRPC.invalidArgument,
    'use a server and a visibility store that list',
  ],
  ['UNAVAILABLE', 'retried', GRPC.unavailable, "check that Temporal's visibility store works"],
])(
  '%s from the list of runs is %s, and its failure names the remedy',
  (_name, retried, code, remedy) => {
    const error = Object.assign(new Error(), { code, details: '', metadata: {} });
    const failure = temporalUnavailable(error, 'id');
    expect(failure).toMatchObject({
      type: 'TemporalUnavailable',
      nonRetryable: retried !== 'retried',
    });
    expect(failure.message).toContain(remedy);
  },
);
