import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { PROMETHEUS_RULE_FILE, prometheusRule } from '../../../dev/prometheus-rule';
import { ALERTS_FOLDER, alertRules, metricsIn } from '../../support/alerts';
import { anchors, page } from '../docs/markdown';

interface UnitTest {
  promql_expr_test?: { exp_samples: { labels?: string }[] }[];
  alert_rule_test?: { alertname: string; exp_alerts?: unknown[] }[];
}

const { tests } = parse(readFileSync(path.join(ALERTS_FOLDER, 'alerts.test.yaml'), 'utf8')) as {
  tests: UnitTest[];
};

describe.each(alertRules())('$alert', ({ alert, expr, labels, annotations }) => {
  it('reads a metric, has a severity, a section of the runbook, and says when it clears', () => {
    const [file = '', anchor] = annotations.runbook.split('#');
    expect(file).toBe('docs/runbook.md');
    expect(anchors(page(file))).toContain(anchor);
    expect(annotations.description).toMatch(/ The alert clears by itself.*\.$/);
    expect(metricsIn({ expr })).not.toEqual([]);
    expect(['page', 'ticket']).toContain(labels.severity);
  });

  it('has a unit test in which it fires, and one in which it does not', () => {
    const firesIn = ({ promql_expr_test = [], alert_rule_test = [] }: UnitTest) =>
      promql_expr_test
        .flatMap(({ exp_samples }) => exp_samples)
        .some(({ labels }) => labels?.includes(`alertname="${alert}"`)) ||
      alert_rule_test.some(({ alertname, exp_alerts = [] }) => alertname === alert && exp_alerts.length > 0);
    expect(tests.filter(firesIn)).not.toEqual([]);
    const silent = tests[0]?.alert_rule_test?.find(({ alertname }) => alertname === alert);
    expect(silent).toEqual(expect.objectContaining({ alertname: alert }));
    expect(silent?.exp_alerts).toBeUndefined();
  });
});

it('the resource of the Prometheus operator has the same alerts (npm run prometheus-rule)', () => {
  expect(parse(readFileSync(PROMETHEUS_RULE_FILE, 'utf8'))).toEqual(prometheusRule());
});
