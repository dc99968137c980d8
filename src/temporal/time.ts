/** A timestamp or a duration of Temporal's API. The seconds may be an object, which holds 64 bits. */
interface ProtoTime {
  seconds?: unknown;
  nanos?: number | null;
}

/** Converts a timestamp or a duration to milliseconds. One that is missing is 0. */
export function toMs(time: ProtoTime | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1000 + Math.floor((time?.nanos ?? 0) / 1e6);
}
