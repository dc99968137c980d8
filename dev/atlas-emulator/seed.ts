import { z } from 'zod';

const organizationId = z
  .string()
  .regex(/^[a-f0-9]{24}$/, 'must be 24 lower-case hexadecimal digits');
const organization = z.strictObject({ id: organizationId, name: z.string().min(1) });

/** The names and secrets of the default seed, of the shapes that real ones have. */
export const DEFAULTS = {
  orgId: '64f1c0ffee5eed0000000a71',
  sourceOrgId: '64f1c0ffee5eed0000005c01',
  serviceAccount: {
    clientId: 'mdb_sa_id_64f1c0ffee5eed0000005a01',
    clientSecret: 'mdb_sa_sk_emulatorOnly_0123456789abcdefghij_ABCDEF',
  },
  apiKey: { publicKey: 'emulkeya', privateKey: '00000000-e3a1-4a7a-8a5e-0000000a7145' },
  sourceApiKey: { publicKey: 'emulkeys', privateKey: '00000000-e3a1-4a7a-8a5e-00000050fce0' },
  /** Service account without the role Organization Owner. */
  memberAccount: {
    clientId: 'mdb_sa_id_64f1c0ffee5eed0000005a02',
    clientSecret: 'mdb_sa_sk_emulatorOnly_member_0123456789abcdefghij',
  },
  secondSourceOrgId: '64f1c0ffee5eed0000005c02',
  secondSourceApiKey: { publicKey: 'emulkeyt', privateKey: '00000000-e3a1-4a7a-8a5e-00000050fce1' },
};
const { orgId, sourceOrgId, serviceAccount, apiKey, sourceApiKey } = DEFAULTS;
const { memberAccount, secondSourceOrgId, secondSourceApiKey } = DEFAULTS;
const roles = ['ORG_OWNER'];
const owner = { orgId: organizationId, roles: z.array(z.string()).default(roles) };

const settings = z.strictObject({
  /** `expires_in` of an access token, and when it really ends. */
  accessTokenLifetimeSeconds: z.int().positive().default(3600),
  /** Live access tokens a service account may hold; one more is refused with `access_denied`. */
  maxLiveAccessTokens: z.int().positive().default(100),
  /**
   * Access tokens that an account may request in a minute from one address, then 429; null for any
   * number.
   */
  accessTokensPerMinute: z.int().positive().nullable().default(10),
  nonceLifetimeMs: z.int().positive().default(60_000),
  /** Requests an organization may make; without `sendRetryAfter` a 429 carries no `Retry-After`. */
  rateLimit: z
    .strictObject({
      enabled: z.boolean().default(true),
      capacity: z.int().positive().default(500),
      refillPerMinute: z.number().positive().default(250),
      sendRetryAfter: z.boolean().default(true),
    })
    .prefault({}),
  /**
   * The available projects of an organization without a link: a list, or 404. Which it is was not
   * recorded.
   */
  projectsWithoutLink: z.enum(['empty', 'notFound']).default('empty'),
  rejectIpv6: z.boolean().default(false),
  /** Versions that get 410, whether requested by name or resolved to. The default is invented. */
  withdrawnVersions: z.array(z.iso.date()).default(['2022-09-09']),
  /** Status polls that say NOT_SYNCED before a migration link is SYNCED. */
  pollsBeforeSynced: z.int().nonnegative().default(0),
  syncDelayMs: z.int().nonnegative().default(0),
  /** True: Cloud Manager takes a link-token that was not created here. */
  acceptUnknownLinkTokens: z.boolean().default(false),
});

const SERVICE_ACCOUNTS = [
  { ...serviceAccount, orgId, roles },
  { ...memberAccount, orgId, roles: ['ORG_MEMBER'] },
];
const desc = 'of the seed';
const API_KEYS = [
  { ...apiKey, desc, orgId, roles },
  { ...sourceApiKey, desc, orgId: sourceOrgId, roles },
  { ...secondSourceApiKey, desc, orgId: secondSourceOrgId, roles },
];

interface Organizations {
  organizations: readonly { id: string }[];
  sourceOrganizations: readonly { id: string }[];
}

const listIds = ({ organizations, sourceOrganizations }: Organizations) =>
  new Set([...organizations, ...sourceOrganizations].map(({ id }) => id));

const seedSchema = z
  .strictObject({
    organizations: z
      .array(organization)
      .default([{ id: orgId, name: 'Example-Atlas-organization' }]),
    sourceOrganizations: z.array(organization).default([
      { id: sourceOrgId, name: 'Example Cloud Manager organization' },
      { id: secondSourceOrgId, name: 'Second example Cloud Manager organization' },
    ]),
    serviceAccounts: z
      .array(
        z.strictObject({ clientId: z.string().min(1), clientSecret: z.string().min(1), ...owner }),
      )
      .optional(),
    apiKeys: z
      .array(
        z.strictObject({
          publicKey: z.string().min(1),
          privateKey: z.string().min(1),
          desc: z.string().default('of the seed'),
          ...owner,
        }),
      )
      .optional(),
    settings: settings.prefault({}),
  })
  .superRefine((seed, context) => {
    const orgIds = listIds(seed);
    for (const list of ['serviceAccounts', 'apiKeys'] as const) {
      seed[list]?.forEach(({ orgId }, index) => {
        if (orgIds.has(orgId)) return;
        const message = `organization ${orgId} is in neither organizations nor sourceOrganizations`;
        context.addIssue({ code: 'custom', path: [list, index, 'orgId'], message });
      });
    }
  })
  .transform((seed) => {
    const orgIds = listIds(seed);
    const ofSeed = ({ orgId }: { orgId: string }) => orgIds.has(orgId);
    const { serviceAccounts = SERVICE_ACCOUNTS.filter(ofSeed), apiKeys = API_KEYS.filter(ofSeed) } =
      seed;
    return { ...seed, serviceAccounts, apiKeys };
  });

export type Seed = z.output<typeof seedSchema>;
export type SeedInput = z.input<typeof seedSchema>;

/**
 * Parses a seed. A top-level key left out has its value from {@link DEFAULT_SEED}, but for the
 * credentials of organizations that the seed leaves out. @throws ZodError
 */
export function parseSeed(input: unknown): Seed {
  return seedSchema.parse(input);
}

export const DEFAULT_SEED: Seed = parseSeed({});
