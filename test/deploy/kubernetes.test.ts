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
const KUBECTL = path.join(ROOT, '.cache/bin/kubectl');
const KUBERNETES = path.join(ROOT, 'deploy/kubernetes');
/** The oldest that is maintained, and the newest. */
const VERSIONS = ['1.34', '1.37'];
const SECRETS = '/run/secrets/live-migration-prep';

const folder = newFolder();

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  data?: Record<string, string>;
  spec: Record<string, unknown> & {
    replicas?: number;
    template: { metadata: { labels: Record<string, string> }; spec: Record<string, unknown> };
  };
}

function render(kustomization: string): Manifest[] {
  const rendered = execFileSync(KUBECTL, ['kustomize', path.join(KUBERNETES, kustomization)], {
    encoding: 'utf8',
  });
  return parseAllDocuments(rendered).map((document) => document.toJS() as Manifest);
}

/** @throws Error with its output, unless every manifest fits the schemas of Kubernetes. */
function validate(name: string, manifests: readonly unknown[], version: string): void {
  const file = path.join(folder, `${name}-${version}.yaml`);
  writeFileSync(file, manifests.map((manifest) => stringify(manifest)).join('---\n'));
  const program = path.join(ROOT, '.cache/bin/kubernetes-validate');
  execFileSync(program, ['--strict', '--kubernetes-version', version, '--no-warn', file], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: path.join(ROOT, '.cache/kubernetes-validate') },
  });
}

const CRDS = path.join(__dirname, 'crds');

interface Crd {
  spec: { names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: Schema } }[] };
}

interface Schema extends Record<string, unknown> {
  properties?: Record<string, Schema>;
  items?: Schema;
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
function controllerErrors({ kind, apiVersion }: Manifest, manifest: unknown): unknown {
  const crds = readdirSync(CRDS)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => parse(readFileSync(path.join(CRDS, name), 'utf8')) as Crd);
  const crd = crds.find(({ spec }) => spec.names.kind === kind);
  const version = crd?.spec.versions.find(({ name }) => apiVersion === `temporal.io/${name}`);
  if (!version) throw new Error(`no schema of ${apiVersion} ${kind}`);
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  return ajv.validate(strict(version.schema.openAPIV3Schema), manifest) ? null : ajv.errorsText();
}

/** The Worker Controller's template of a pod is that of a Deployment. */
function asDeployment({ metadata, spec: { replicas, template } }: Manifest) {
  const selector = { matchLabels: { 'app.kubernetes.io/name': 'live-migration-prep' } };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas, selector, template } };
}

interface Selector {
  matchLabels: Record<string, string>;
}

function portNamesOf(spec: Record<string, unknown>): string[] {
  const { containers } = spec as { containers: { ports: { name: string }[] }[] };
  return containers.flatMap(({ ports }) => ports.map(({ name }) => name));
}

/** The README applies it by itself. */
const NAMESPACE_FILE = 'namespace.yaml';
const NAMESPACE = parse(readFileSync(path.join(KUBERNETES, NAMESPACE_FILE), 'utf8')) as Manifest;

const MONITORING = render('monitoring');

function monitoring(wanted: string): Manifest {
  const found = MONITORING.find(({ kind }) => kind === wanted);
  if (!found) throw new Error(`no ${wanted}`);
  return found;
}

it('the alerts have only fields that the Prometheus operator knows', () => {
  const groups = monitoring('PrometheusRule').spec['groups'] as { rules: object[] }[];
  const keysOf = (objects: object[]) => [...new Set(objects.flatMap(Object.keys))].sort();
  expect(keysOf(groups)).toEqual(['name', 'rules']);
  const rules = groups.flatMap((group) => group.rules);
  expect(keysOf(rules)).toEqual(['alert', 'annotations', 'expr', 'for', 'labels']);
});

describe.each([
  ['deployment', 'Deployment'],
  ['worker-controller', 'WorkerDeployment'],
])('overlay %s', (overlay, kind) => {
  const manifests = render(`overlays/${overlay}`);
  const find = (wanted: string) => {
    const found = manifests.find((manifest) => manifest.kind === wanted);
    if (!found) throw new Error(`no ${wanted}`);
    return found;
  };

  it.each(VERSIONS)('fits the schemas of Kubernetes %s', (version) => {
    const ours = manifests.filter(({ apiVersion }) => !apiVersion.startsWith('temporal.io/'));
    expect(ours.length).toBeGreaterThanOrEqual(3);
    validate(overlay, [NAMESPACE, ...ours, asDeployment(find(kind))], version);
  });

  it('has two workers with probes, limits, a grace period and no rights', () => {
    const { replicas, template } = find(kind).spec;
    expect(replicas).toBe(2);
    expect(template.spec).toMatchObject({
      terminationGracePeriodSeconds: 150,
      serviceAccountName: 'live-migration-prep',
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          image: 'registry.example.com/live-migration-prep:0.1.0',
          readinessProbe: { httpGet: { path: '/readyz', port: 'health' } },
          livenessProbe: { httpGet: { path: '/livez', port: 'health' } },
          resources: { limits: { memory: '512Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    });
    expect(find('ServiceAccount')).toMatchObject({ automountServiceAccountToken: false });
    expect(find('PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
  });

  it('passes no secret in the environment, and mounts the configuration that it has', () => {
    const { containers, volumes } = find(kind).spec.template.spec as {
      containers: { env: { name: string; value?: string }[]; volumeMounts: { name: string }[] }[];
      volumes: { name: string; configMap?: { name: string } }[];
    };
    for (const { env, volumeMounts } of containers) {
      expect(env.map(({ name, value }) => [name, typeof value])).toEqual(
        env.map(({ name }) => [name, 'string']),
      );
      expect(volumeMounts.map(({ name }) => name).sort()).toEqual(volumes.map(({ name }) => name).sort());
    }
    expect(volumes.find(({ name }) => name === 'config')?.configMap?.name).toBe(
      find('ConfigMap').metadata.name,
    );
  });

  it('puts everything into one namespace', () => {
    const namespaces = [...manifests, ...MONITORING].map(({ metadata }) => metadata.namespace);
    expect(new Set(namespaces)).toEqual(new Set([NAMESPACE.metadata.name]));
  });

  it('lets only Prometheus in, and to no port but that of the metrics', () => {
    const { podSelector, policyTypes, ingress } = find('NetworkPolicy').spec;
    const { metadata, spec } = find(kind).spec.template;
    expect(metadata.labels).toMatchObject((podSelector as Selector).matchLabels);
    expect(policyTypes).toEqual(['Ingress']);
    expect(ingress).toEqual([{ ports: [{ port: 'metrics' }], from: [expect.anything()] }]);
    expect(portNamesOf(spec)).toContain('metrics');
  });

  it('has the label and the port by which Prometheus scrapes it, as the job that the alerts name', () => {
    const { selector, jobLabel, podMetricsEndpoints, ...unknown } = monitoring('PodMonitor').spec;
    expect(unknown).toEqual({});
    const { metadata, spec } = find(kind).spec.template;
    expect(metadata.labels).toMatchObject((selector as Selector).matchLabels);
    const jobs = alertRules().flatMap(({ expr }) => [...expr.matchAll(/job="(.*?)"/g)].map(([, job]) => job));
    expect(new Set(jobs)).toEqual(new Set([metadata.labels[jobLabel as string]]));
    expect(podMetricsEndpoints).toEqual([{ port: 'metrics' }]);
    expect(portNamesOf(spec)).toContain('metrics');
  });

  it('has a configuration that a worker loads, with ports that the pod declares', () => {
    const text = find('ConfigMap').data?.['live-migration-prep.yaml'] ?? '';
    const names = [...text.matchAll(new RegExp(`${SECRETS}/([\\w.-]+)`, 'g'))].map(([, name = '']) => name);
    for (const name of names) {
      const content = name.endsWith('.json') ? JSON.stringify({ keys: [makeKey(new Date())] }) : 'a-secret';
      writeFileSync(path.join(folder, name), content, { mode: 0o600 });
    }
    const file = path.join(folder, 'live-migration-prep.yaml');
    writeFileSync(file, text.replaceAll(SECRETS, folder));
    const { health, metrics } = loadConfig({}, file);
    const { containers } = find(kind).spec.template.spec as {
      containers: { ports: { containerPort: number }[] }[];
    };
    expect(containers[0]?.ports.map(({ containerPort }) => containerPort)).toEqual([
      health.port,
      metrics?.port,
    ]);
    const readme = readFileSync(path.join(KUBERNETES, 'README.md'), 'utf8');
    for (const name of names) expect(readme).toContain(`--from-file=${name}`);
  });
});

describe("the Worker Controller's resources", () => {
  const manifests = render('overlays/worker-controller').filter(({ apiVersion }) =>
    apiVersion.startsWith('temporal.io/'),
  );

  it.each(manifests)('$kind fits the schema', (manifest) => {
    expect(controllerErrors(manifest, manifest)).toBeNull();
  });

  it.each(manifests)('$kind with an unknown field, or without what it needs, does not', (manifest) => {
    const wrong = { ...manifest, spec: { ...manifest.spec, replica: 3 } };
    expect(controllerErrors(manifest, wrong)).toBe('data/spec must NOT have additional properties');
    const empty = { ...manifest, spec: {} };
    expect(controllerErrors(manifest, empty)).toContain('must have required property');
  });

  it('names a connection that exists, and a gate that the worker has', () => {
    const [connection, deployment] = ['Connection', 'WorkerDeployment'].map((kind) =>
      manifests.find((manifest) => manifest.kind === kind),
    );
    expect(deployment?.spec).toMatchObject({
      workerOptions: { connectionRef: { name: connection?.metadata.name } },
      rollout: { gate: { workflowType: WORKFLOW_TYPES.checkWorker } },
    });
  });
});

it('the validator rejects a field that Kubernetes does not know', () => {
  const [deployment] = render('overlays/deployment').filter(({ kind }) => kind === 'Deployment');
  Object.assign(deployment?.spec ?? {}, { replica: 3 });
  expect(() => validate('wrong', [deployment], '1.37')).toThrow();
});

it('every file of YAML but that of the namespace is part of an overlay, or of what it includes', () => {
  const files = readdirSync(KUBERNETES, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.yaml'),
  );
  const folders = files.filter((name) => name.endsWith('kustomization.yaml'));
  const named = folders.flatMap((name) => {
    const text = readFileSync(path.join(KUBERNETES, name), 'utf8');
    return [...JSON.stringify(parse(text)).matchAll(/"([\w-]+\.yaml)"/g)].map(([, file = '']) =>
      path.join(path.dirname(name), file),
    );
  });
  expect(files.sort()).toEqual([...new Set([NAMESPACE_FILE, ...folders, ...named])].sort());
});
