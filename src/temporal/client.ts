import { Client, type ConnectionLike } from '@temporalio/client';

/**
 * Makes a client that reads payloads as leniently as the workflows do. Anyone in the namespace can start a run with a memo
 * in a foreign encoding, which Temporal's own converter would let fail every list.
 */
export function createClient(connection: ConnectionLike, namespace: string): Client {
  return new Client({
    connection,
    namespace,
    dataConverter: { payloadConverterPath: require.resolve('../workflows/payload-converter') },
  });
}
