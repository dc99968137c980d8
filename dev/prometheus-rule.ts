import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';

const DEPLOY = path.join(__dirname, '../deploy');

const ALERTS_FILE = path.join(DEPLOY, 'prometheus/alerts.yaml');
const ALERTS_TEST_FILE = path.join(DEPLOY, 'prometheus/alerts.test.yaml');
export const PROMETHEUS_RULE_FILE = path.join(DEPLOY, 'kubernetes/monitoring/prometheus-rule.yaml');

/** The alerts of deploy/prometheus as a resource of the Prometheus operator. */
export function prometheusRule(): object {
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'live-migration-prep' },
    spec: parse(readFileSync(ALERTS_FILE, 'utf8')) as object,
  };
}

if (require.main === module) {
  const { RUNBOOK_URL } = process.env;
  for (const file of RUNBOOK_URL ? [ALERTS_FILE, ALERTS_TEST_FILE] : []) {
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/(?<=runbook_url: ).*(?=#)/g, String(RUNBOOK_URL)));
  }
  const origin = '# `npm run prometheus-rule` makes this from deploy/prometheus/alerts.yaml.\n';
  writeFileSync(PROMETHEUS_RULE_FILE, origin + stringify(prometheusRule(), { lineWidth: 0 }));
}
