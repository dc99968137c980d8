import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { loadConfig } from '../../src/config';
import { WORKFLOW_TYPES } from '../../src/contract/names';
import { makeKey } from '../../src/secrets/sealing';
import { alertRules } from '../support/alerts';
import { newFolder } from '../support/clean-up';

const ROOT = path.join(__dirname, '../..');
const BIN = path.join(ROOT, '.cache/bin');
const KUBERNETES = path.join(ROOT, 'deploy/kubernetes');
/** The oldest that is maintained, and the newest. */
const VERSIONS = ['1.34', '1.37'];
const SECRETS = '/run/secrets/live-migration-prep';

const folder = newFolder();

interface Selector {
  matchLabels: Record<string, string>;
}

interface Container {
  env: { name: string; value?: string }[];
  ports: { name: string; containerPort: number }[];
  volumeMounts: { name: string }[];
}

/** The fields that a test reads, of whatever kind. */
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  data: Record<string, string>;
  spec: {
    replicas: number;
    template: {
      metadata: { labels: Record<string, string> };
      spec: { containers: [Container]; volumes: { name: string; configMap?: { name: string } }[] };
    };
    selector: Selector;
    podSelector: Selector;
    jobLabel: string;
  };
}

function render(kustomization: string): Manifest[] {
  const args = ['kustomize', path.join(KUBERNETES, kustomization)];
  const rendered = execFileSync(path.join(BIN, 'kubectl'), args, { encoding: 'utf8' });
  return parseAllDocuments(rendered).map((document) => document.toJS() as Manifest);
}

function find(manifests: readonly Manifest[], wanted: string): Manifest {
  const found = manifests.find(({ kind }) => kind === wanted);
  if (!found) throw new Error(`no ${wanted}`);
  return found;
}

/** @throws Error with its output, unless every manifest fits the schemas of Kubernetes. */
function validate(manifests: readonly object[], version: string): void {
  const file = path.join(folder, 'manifests.yaml');
  writeFileSync(file, manifests.map((manifest) => stringify(manifest)).join('---\n'));
  const args = ['--strict', '--kubernetes-version', version, '--no-warn', file];
  const env = { ...process.env, PYTHONPATH: path.join(ROOT, '.cache/kubernetes-validate') };
  execFileSync(path.join(BIN, 'kubernetes-validate'), args, { env });
}

interface Schema extends Record<string, unknown> {
  properties?: Record<string, Schema>;
  items?: Schema;
}

interface Crd {
  spec: { versions: { name: string; schema: { openAPIV3Schema: Schema } }[] };
}

/** Rejects unknown fields, as `kubectl apply` does; the server would drop them. */
function strict(schema: Schema): Schema {
  const { properties, items, ...rest } = schema;
  if (items) return { ...rest, items: strict(items) };
  if (!properties) return schema;
  const entries = Object.entries(properties).map(([name, property]) => [name, strict(property)] as const);
  return { additionalProperties: false, ...rest, properties: Object.fromEntries(entries) };
}

/** Returns the problems by the schema of the Worker Controller's resource. */
function controllerErrors(manifest: Manifest): string | null {
  const file = path.join(__dirname, `crds/temporal.io_${manifest.kind.toLowerCase()}s.yaml`);
  const { versions } = (parse(readFileSync(file, 'utf8')) as Crd).spec;
  const version = versions.find(({ name }) => manifest.apiVersion === `temporal.io/${name}`);
  if (!version) return `no schema of ${manifest.apiVersion}`;
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  return ajv.validate(strict(version.schema.openAPIV3Schema), manifest) ? null : ajv.errorsText();
}

/** The README applies it by itself. */
const NAMESPACE_FILE = 'namespace.yaml';
const NAMESPACE = parse(readFileSync(path.join(KUBERNETES, NAMESPACE_FILE), 'utf8')) as Manifest;
const MONITORING = render('monitoring');

describe.each([
  ['deployment', 'Deployment'],
  ['worker-controller', 'WorkerDeployment'],
])('overlay %s', (overlay, kind) => {
  const manifests = render(`overlays/${overlay}`);
  const { metadata, spec } = find(manifests, kind);
  const { metadata: pod, spec: podSpec } = spec.template;
  const [container] = podSpec.containers;

  it.each(VERSIONS)('fits the schemas of Kubernetes %s', (version) => {
    const ours = manifests.filter(({ apiVersion }) => !apiVersion.startsWith('temporal.io/'));
    const { replicas, template } = spec;
    const selector = { matchLabels: { 'app.kubernetes.io/name': 'live-migration-prep' } };
    // The Worker Controller's template of a pod is that of a Deployment.
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata };
    const all = (more: object) => [
      NAMESPACE,
      ...ours,
      { ...deployment, spec: { replicas, selector, template, ...more } },
    ];
    validate(all({}), version);
    expect(() => validate(all({ replica: 3 }), version)).toThrow();
  });

  it('has two workers with probes, limits, a grace period and no rights', () => {
    expect(spec).toMatchObject({
      replicas: 2,
      template: {
        spec: {
          terminationGracePeriodSeconds: 150,
          serviceAccountName: find(manifests, 'ServiceAccount').metadata.name,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        },
      },
    });
    expect(container).toMatchObject({
      readinessProbe: { httpGet: { path: '/readyz', port: 'health' } },
      livenessProbe: { httpGet: { path: '/livez', port: 'health' } },
      resources: { limits: { memory: '512Mi' } },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    });
    expect(find(manifests, 'ServiceAccount')).toMatchObject({ automountServiceAccountToken: false });
    expect(find(manifests, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
  });

  it('passes no secret in the environment, and mounts the configuration that it has', () => {
    expect(container.env.filter(({ value }) => value === undefined)).toEqual([]);
    const { volumes } = podSpec;
    const names = (named: { name: string }[]) => named.map(({ name }) => name).sort();
    expect(names(container.volumeMounts)).toEqual(names(volumes));
    const config = volumes.find(({ name }) => name === 'config')?.configMap;
    expect(config?.name).toBe(find(manifests, 'ConfigMap').metadata.name);
  });

  it('puts everything into one namespace', () => {
    const namespaces = [...manifests, ...MONITORING].map(({ metadata: { namespace } }) => namespace);
    expect(new Set(namespaces)).toEqual(new Set([NAMESPACE.metadata.name]));
  });

  it('lets only Prometheus in, which scrapes the metrics as the job that the alerts name', () => {
    const { podSelector, ...policy } = find(manifests, 'NetworkPolicy').spec;
    const { selector, jobLabel, ...monitor } = find(MONITORING, 'PodMonitor').spec;
    expect(pod.labels).toMatchObject({ ...podSelector.matchLabels, ...selector.matchLabels });
    expect(policy).toEqual({
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ port: 'metrics' }], from: [expect.anything()] }],
    });
    expect(monitor).toEqual({ podMetricsEndpoints: [{ port: 'metrics' }] });
    const jobs = alertRules().flatMap(({ expr }) => [...expr.matchAll(/job="(.*?)"/g)].map(([, job]) => job));
    expect(new Set(jobs)).toEqual(new Set([pod.labels[jobLabel]]));
  });

  it('has a configuration that a worker loads, with ports that the pod declares', () => {
    const text = find(manifests, 'ConfigMap').data['live-migration-prep.yaml'] ?? '';
    const names = [...text.matchAll(new RegExp(`${SECRETS}/([\\w.-]+)`, 'g'))].map(([, name = '']) => name);
    const readme = readFileSync(path.join(KUBERNETES, 'README.md'), 'utf8');
    for (const name of names) {
      const content = name.endsWith('.json') ? JSON.stringify({ keys: [makeKey(new Date())] }) : 'a-secret';
      writeFileSync(path.join(folder, name), content, { mode: 0o600 });
      expect(readme).toContain(`--from-file=${name}`);
    }
    const file = path.join(folder, 'live-migration-prep.yaml');
    writeFileSync(file, text.replaceAll(SECRETS, folder));
    const { health, metrics } = loadConfig({}, file);
    expect(container.ports).toEqual([
      { name: 'health', containerPort: health.port },
      { name: 'metrics', containerPort: metrics?.port },
    ]);
  });
});

describe("the Worker Controller's resources", () => {
  const manifests = render('overlays/worker-controller');
  const [connection, deployment] = [find(manifests, 'Connection'), find(manifests, 'WorkerDeployment')];

  it.each([connection, deployment])('$kind fits the schema', (manifest) => {
    expect(controllerErrors(manifest)).toBeNull();
    const wrong = { ...manifest, spec: { ...manifest.spec, replica: 3 } };
    expect(controllerErrors(wrong)).toBe('data/spec must NOT have additional properties');
  });

  it('names a connection that exists, and a gate that the worker has', () => {
    expect(deployment.spec).toMatchObject({
      workerOptions: { connectionRef: { name: connection.metadata.name } },
      rollout: { gate: { workflowType: WORKFLOW_TYPES.checkWorker } },
    });
  });
});

it('every file of YAML but that of the namespace is part of an overlay, or of what it includes', () => {
  const all = readdirSync(KUBERNETES, { recursive: true, encoding: 'utf8' });
  const files = all.filter((name) => name.endsWith('.yaml'));
  const lists = files.filter((name) => name.endsWith('kustomization.yaml'));
  const named = lists.flatMap((name) => {
    const kustomization = JSON.stringify(parse(readFileSync(path.join(KUBERNETES, name), 'utf8')));
    return [...kustomization.matchAll(/"([\w-]+\.yaml)"/g)].map(([, file = '']) =>
      path.join(path.dirname(name), file),
    );
  });
  expect(files.sort()).toEqual([...new Set([NAMESPACE_FILE, ...lists, ...named])].sort());
});
