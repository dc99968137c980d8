import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { PROMETHEUS_RULE_FILE, prometheusRule } from '../../../dev/prometheus-rule';
import { FAILURE_TYPES } from '../../../src/contract/failure-types';
import { ALERTS_FOLDER, alertRules } from '../../support/alerts';
import { anchors, page } from '../../support/markdown';

const { homepage } = JSON.parse(page('package.json')) as { homepage: string };
const REPOSITORY = homepage.replace('#readme', '');

it.each(alertRules())(
  '$alert has a severity, a section of the runbook, and says when it clears',
  ({ labels, annotations: { runbook_url: url, description } }) => {
    expect(['page', 'ticket']).toContain(labels.severity);
    const [runbook, anchor] = url.split('#');
    expect(runbook).toBe(`${REPOSITORY}/blob/main/docs/runbook.md`);
    expect(anchors(page('docs/runbook.md'))).toContain(anchor);
    expect(description).toMatch(/ The alert clears by itself.*\.$/);
  },
);

it('each failure of a run has an alert, except those for its caller', () => {
  const expressions = alertRules().map(({ expr }) => expr);
  const withoutAlert = FAILURE_TYPES.filter((type) => !expressions.join().includes(type));
  expect(withoutAlert).toEqual(['InvalidRequest', 'TokenExists']);
});

it('each alert fires in a test of the rules, and none in the first', () => {
  const { tests } = parse(readFileSync(path.join(ALERTS_FOLDER, 'alerts.test.yaml'), 'utf8')) as {
    tests: {
      promql_expr_test?: { exp_samples: { labels?: string }[] }[];
      alert_rule_test?: { alertname: string; exp_alerts?: object[] }[];
    }[];
  };
  const firing = tests.flatMap(({ promql_expr_test = [], alert_rule_test = [] }) => [
    ...promql_expr_test.flatMap(({ exp_samples }) => exp_samples.map(({ labels }) => labels ?? '')),
    ...alert_rule_test.flatMap(({ alertname, exp_alerts }) => (exp_alerts ? `"${alertname}"` : [])),
  ]);
  const alerts = alertRules().map(({ alert }) => alert);
  expect(alerts.filter((alert) => !firing.some((labels) => labels.includes(`"${alert}"`)))).toEqual(
    [],
  );
  expect(tests[0]?.alert_rule_test).toEqual(
    alerts.map((alertname) => ({ alertname, eval_time: '2h' })),
  );
});

it('the resource of the Prometheus operator has the same alerts (npm run prometheus-rule)', () => {
  expect(parse(readFileSync(PROMETHEUS_RULE_FILE, 'utf8'))).toEqual(prometheusRule());
});
