import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

export const ALERTS_FOLDER = path.join(__dirname, '../../deploy/prometheus');

interface AlertRule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { description: string; runbook_url: string };
}

export function alertRules(): AlertRule[] {
  const text = readFileSync(path.join(ALERTS_FOLDER, 'alerts.yaml'), 'utf8');
  return (parse(text) as { groups: { rules: AlertRule[] }[] }).groups.flatMap(({ rules }) => rules);
}
