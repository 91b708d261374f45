/** What `collard doctor` looks at in files that hold keys or all events: nobody but their owner, and a group of his, should read them. */
import { stat } from 'node:fs/promises';
import { parseStoreUrl } from '../central/store/store-url.ts';
import type { AnyConfig } from './config.ts';
import { type Finding, warn } from './doctor-machine.ts';

const EVERYBODY = 0o007;

interface PrivateFile {
  readonly check: string;
  readonly what: string;
  readonly path: string;
  readonly mode: '600' | '700';
}

/** Of what is not there nothing is said here: who needs it says so. */
export async function checkFiles(any: AnyConfig): Promise<Finding[]> {
  const checked = filesOf(any).map(async ({ check, what, path, mode }) => {
    const found = await stat(path).catch(() => null);
    if (found === null || (found.mode & EVERYBODY) === 0) return [];
    return [warn(check, `others may read ${what}: ${path}`, `chmod ${mode} ${path}`)];
  });
  return (await Promise.all(checked)).flat();
}

function filesOf(any: AnyConfig): readonly PrivateFile[] {
  const key = (what: string, path: string | undefined): PrivateFile[] =>
    path === undefined ? [] : [{ check: 'key', what, path, mode: '600' }];
  const client = key('the key of mqtt.key', any.config.value.mqtt.key);
  if (any.kind === 'agent') return client;
  const { store, broker, retention } = any.config.value;
  const address = parseStoreUrl(store.url);
  const path = typeof address !== 'string' && address.kind === 'sqlite' ? address.path : null;
  const files = path === null ? [] : ['', '-wal', '-shm'].map((end) => path + end);
  return [
    ...client,
    ...key('the key of broker.tls.key', broker.tls?.key),
    ...files.map((file) => ({ check: 'store', what: 'all events', path: file, mode: '600' }) as const),
    ...(retention === undefined
      ? []
      : [{ check: 'store', what: 'sealed events', path: retention.segments, mode: '700' } as const]),
  ];
}
