import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';

const DEPLOY = path.join(__dirname, '../deploy');

export const PROMETHEUS_RULE_FILE = path.join(DEPLOY, 'kubernetes/monitoring/prometheus-rule.yaml');

/** The alerts of deploy/prometheus as a resource of the Prometheus operator. */
export function prometheusRule(): object {
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'live-migration-prep' },
    spec: parse(readFileSync(path.join(DEPLOY, 'prometheus/alerts.yaml'), 'utf8')) as object,
  };
}

if (require.main === module) {
  const origin = '# `npm run prometheus-rule` makes this from deploy/prometheus/alerts.yaml.\n';
  writeFileSync(PROMETHEUS_RULE_FILE, origin + stringify(prometheusRule(), { lineWidth: 0 }));
}
