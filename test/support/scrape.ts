import { eventually } from './eventually';
import { fetchOnce } from './fetch-once';

/** One line of a Prometheus scrape. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/**
 * Reads a worker's metrics endpoint.
 *
 * @throws Error when a series is there twice, which Prometheus does not take.
 */
export async function scrape(port: number): Promise<Sample[]> {
  const response = await fetchOnce(`http://127.0.0.1:${port}/metrics`);
  const lines = (await response.text())
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const series = lines.map((line) => line.replace(/ \S+$/, ''));
  const twice = series.find((one, index) => series.indexOf(one) !== index);
  if (twice) throw new Error(`twice in one scrape: ${twice}`);
  return lines.map((line) => {
    const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (!name) throw new Error(`not a sample: ${line}`);
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    return {
      name,
      labels: Object.fromEntries(pairs.map(([, label = '', text = '']) => [label, text])),
      value: value === '+Inf' ? Infinity : Number(value),
    };
  });
}

/**
 * The sum of the samples of this name that have these labels, among others; null when there is
 * none.
 */
export function valueOf(
  samples: Sample[],
  name: string,
  labels: Record<string, string> = {},
): number | null {
  const matches = samples.filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return matches.length === 0 ? null : matches.reduce((sum, { value }) => sum + value, 0);
}

/** Waits until the sum of these samples is at least this, and returns the whole scrape. */
export function untilScraped(
  port: number,
  name: string,
  labels: Record<string, string> = {},
  atLeast = 1,
): Promise<Sample[]> {
  return eventually(`${name}${JSON.stringify(labels)}`, async () => {
    const samples = await scrape(port);
    return (valueOf(samples, name, labels) ?? 0) >= atLeast && samples;
  });
}
