import { readFileSync } from 'node:fs';
import path from 'node:path';

interface Dashboard {
  panels: { title: string; targets: { expr: string; legendFormat: string }[] }[];
}

/** Reads the dashboard for Grafana, with these values of the variables in its queries. */
export function readDashboard(variables: Record<string, string> = {}): Dashboard {
  const file = path.join(__dirname, '../../deploy/grafana/dashboard.json');
  const text = readFileSync(file, 'utf8').replace(
    /\$(\w+)/g,
    (variable, name: string) => variables[name] ?? variable,
  );
  return JSON.parse(text) as Dashboard;
}
