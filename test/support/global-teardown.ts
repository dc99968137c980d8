import { rmSync } from 'node:fs';
import { shared } from './shared-temporal';

export default async function tearDown(): Promise<void> {
  await shared.temporal?.stop();
  if (shared.folder) rmSync(shared.folder, { recursive: true, force: true });
}
