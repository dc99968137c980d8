import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { loadConfig } from '../../src/config';
import { WORKFLOW_TYPES } from '../../src/contract/workflows';
import { makeKey } from '../../src/secrets/sealing';
import { VERSION } from '../../src/version';
import { alertRules } from '../support/alerts';
import { newFolder } from '../support/clean-up';

const ROOT = path.join(__dirname, '../..');
const BIN = path.join(ROOT, '.cache/bin');
const KUBERNETES = path.join(ROOT, 'deploy/kubernetes');
/** The oldest that is maintained, and the newest. */
const VERSIONS = ['1.34', '1.37'];
const SECRETS = '/run/secrets/live-migration-prep';

const folder = newFolder();

interface Template {
  metadata: { labels: Record<string, string> };
  spec: {
    containers: [{ env: { name: string; value?: string }[]; volumeMounts: { name: string }[] }];
    volumes: { name: string; configMap?: { name: string } }[];
  };
}

/** The fields that a test reads, in a manifest of any kind. */
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  data: Record<string, string>;
  spec: { replicas: number; template: Template; jobLabel: string };
}

const readYaml = (name: string) =>
  parse(readFileSync(path.join(KUBERNETES, name), 'utf8')) as Manifest;

function render(kustomization: string): Manifest[] {
  const args = ['kustomize', path.join(KUBERNETES, kustomization)];
  const rendered = execFileSync(path.join(BIN, 'kubectl'), args, { encoding: 'utf8' });
  return parseAllDocuments(rendered).map((document) => document.toJS() as Manifest);
}

function find(manifests: readonly Manifest[], kind: string): Manifest {
  const manifest = manifests.find((candidate) => candidate.kind === kind);
  if (!manifest) throw new Error(`no ${kind}`);
  return manifest;
}

/** @throws Error with its output, unless every manifest fits the schemas of Kubernetes. */
function validate(manifests: readonly object[], version: string): void {
  const file = path.join(folder, 'manifests.yaml');
  writeFileSync(file, manifests.map((manifest) => stringify(manifest)).join('---\n'));
  const args = ['--strict', '--kubernetes-version', version, '--no-warn', file];
  const env = { ...process.env, PYTHONPATH: path.join(ROOT, '.cache/kubernetes-validate') };
  execFileSync(path.join(BIN, 'kubernetes-validate'), args, { env });
}

/** The README applies it before the overlays. */
const NAMESPACE = readYaml('namespace.yaml');
const MONITORING = render('monitoring');
const LABELS = { 'app.kubernetes.io/name': 'live-migration-prep' };

describe.each([
  ['deployment', 'Deployment'],
  ['worker-controller', 'WorkerDeployment'],
])('overlay %s', (overlay, kind) => {
  const manifests = render(`overlays/${overlay}`);
  const { metadata, spec } = find(manifests, kind);
  const { replicas, template } = spec;
  const [container] = template.spec.containers;
  const { volumes } = template.spec;

  it.each(VERSIONS)('fits the schemas of Kubernetes %s', (version) => {
    const ours = manifests.filter(({ apiVersion }) => !apiVersion.startsWith('temporal.io/'));
    // The Worker Controller's template of a pod is that of a Deployment.
    const selector = { matchLabels: LABELS };
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata };
    validate(
      [NAMESPACE, ...ours, { ...deployment, spec: { replicas, selector, template } }],
      version,
    );
  });

  it('has two workers with probes, limits, no rights and no secret in variables', () => {
    const account = find(manifests, 'ServiceAccount');
    expect(account).toMatchObject({ automountServiceAccountToken: false });
    expect(find(manifests, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
    expect(replicas).toBe(2);
    expect(template.spec).toMatchObject({
      terminationGracePeriodSeconds: 200,
      serviceAccountName: account.metadata.name,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
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
    expect(container.env.filter(({ value }) => value === undefined)).toEqual([]);
  });

  it('has the labels that Kubernetes recommends, with the version of the program', () => {
    const recommended = {
      ...LABELS,
      'app.kubernetes.io/version': VERSION,
      'app.kubernetes.io/component': 'worker',
      'app.kubernetes.io/part-of': 'live-migration-prep',
    };
    expect(template.metadata.labels).toEqual(recommended);
    expect(manifests.map(({ metadata: { labels } }) => labels)).toEqual(
      manifests.map(() => recommended),
    );
  });

  it('puts everything into one namespace', () => {
    const namespaces = [...manifests, ...MONITORING].map((manifest) => manifest.metadata.namespace);
    expect(new Set(namespaces)).toEqual(new Set([NAMESPACE.metadata.name]));
  });

  it('lets only Prometheus in, as the job that the alerts name', () => {
    expect(template.metadata.labels).toMatchObject(LABELS);
    expect(find(manifests, 'NetworkPolicy').spec).toEqual({
      podSelector: { matchLabels: LABELS },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ port: 'metrics' }], from: [expect.anything()] }],
    });
    const { jobLabel, ...monitor } = find(MONITORING, 'PodMonitor').spec;
    expect(monitor).toEqual({
      selector: { matchLabels: LABELS },
      podMetricsEndpoints: [{ port: 'metrics', metricRelabelings: expect.any(Array) as object }],
      sampleLimit: 20_000,
    });
    const jobs = alertRules().flatMap(({ expr }) => expr.match(/job=".*?"/g) ?? []);
    expect(new Set(jobs)).toEqual(new Set([`job="${template.metadata.labels[jobLabel]}"`]));
  });

  it('mounts a configuration that a worker loads, with ports that the pod declares', () => {
    const names = (entries: { name: string }[]) => entries.map(({ name }) => name).sort();
    expect(names(container.volumeMounts)).toEqual(names(volumes));
    const configMap = find(manifests, 'ConfigMap');
    expect(volumes).toContainEqual({
      name: 'config',
      configMap: { name: configMap.metadata.name },
    });

    const text = configMap.data['live-migration-prep.yaml'] ?? '';
    const readme = readFileSync(path.join(KUBERNETES, 'README.md'), 'utf8');
    for (const [, name = ''] of text.matchAll(new RegExp(`${SECRETS}/([\\w.-]+)`, 'g'))) {
      const content = name.endsWith('.json')
        ? JSON.stringify({ keys: [makeKey(new Date())] })
        : 'a-secret';
      writeFileSync(path.join(folder, name), content, { mode: 0o600 });
      expect(readme).toContain(`--from-file=${name}`);
    }
    const file = path.join(folder, 'live-migration-prep.yaml');
    writeFileSync(file, text.replaceAll(SECRETS, folder));
    const { health, metrics } = loadConfig({}, file);
    expect(container).toHaveProperty('ports', [
      { name: 'health', containerPort: health.port },
      { name: 'metrics', containerPort: metrics?.port },
    ]);
  });
});

it.each(VERSIONS)(
  'the dashboard fits the schemas of Kubernetes %s, for the sidecar of Grafana',
  (version) => {
    const configMap = find(MONITORING, 'ConfigMap');
    validate([configMap], version);
    expect(configMap.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    expect(Object.keys(configMap.data)).toEqual([expect.stringMatching(/\.json$/)]);
  },
);

describe("the Worker Controller's resources", () => {
  const manifests = render('overlays/worker-controller');
  const [connection, deployment] = [
    find(manifests, 'Connection'),
    find(manifests, 'WorkerDeployment'),
  ];

  it.each([connection, deployment])('$kind fits the schema', ({ apiVersion, ...manifest }) => {
    const crd = path.join(__dirname, `crds/temporal.io_${manifest.kind.toLowerCase()}s.yaml`);
    // Unknown fields are rejected, as `kubectl apply` does; the server would drop them.
    const strict = (_key: unknown, node: unknown) =>
      typeof node === 'object' && node && 'properties' in node
        ? { additionalProperties: false, ...node }
        : node;
    const { spec } = parse(readFileSync(crd, 'utf8'), strict) as Crd;
    const [version] = spec.versions;
    expect(apiVersion).toBe(`temporal.io/${version.name}`);
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
    ajv.validate(version.schema.openAPIV3Schema, { apiVersion, ...manifest });
    expect(ajv.errors).toBeNull();
  });

  it('names a connection that exists, and a gate that the worker has', () => {
    expect(deployment.spec).toMatchObject({
      workerOptions: { connectionRef: { name: connection.metadata.name } },
      rollout: { gate: { workflowType: WORKFLOW_TYPES.checkWorker } },
    });
  });
});

interface Crd {
  spec: { versions: [{ name: string; schema: { openAPIV3Schema: object } }] };
}
