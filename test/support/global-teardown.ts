import { shared } from './shared-temporal';

export default async function tearDown(): Promise<void> {
  await shared.temporal?.stop();
}
