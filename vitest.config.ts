import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { assertRuntime } from './src/lib/runtime-guard.ts';
import { SERVER_PATHS } from './test/central/engines/paths.ts';
import { DEBIAN as CLUSTERS, galeraPath } from './test/clusters/paths.ts';
import { requireServer } from './test/servers.ts';

assertRuntime();

/** What must hold on every database, and what only servers can do. */
const STORE_TESTS = ['test/central/store/*.test.ts'];
const ONLY_SQLITE = ['test/central/store/sqlite*.test.ts'];
const SERVER_TESTS = ['test/central/store/server/*.test.ts'];
/** What puts a mock in the place of a module: it needs modules that no other file has asked for. */
const MOCKING = ['test/agent/log/log-in-thread.test.ts', 'test/agent/source/node-answers.test.ts'];
const CLUSTER_TESTS = ['test/clusters/galera.test.ts'];
/** Of what must hold on every database, that in which nodes of a cluster could differ; all of it: `npm run galera`. */
const CLUSTER_CHOICE = ['test/central/store/{ingest,ingest-all,two-centrals,corrections,fence,keys,heard}.test.ts'];
const isWhole = process.env.npm_lifecycle_event === 'galera';
const DEBIAN = { mariadb: 'mariadb-server', postgres: 'postgresql' } as const;

const servers = (['mariadb', 'postgres'] as const).filter((kind) =>
  requireServer(kind, SERVER_PATHS[kind], DEBIAN[kind]),
);

const isCluster = requireServer('galera', galeraPath, CLUSTERS.galera);

export default defineConfig({
  test: {
    // Long enough for a machine that is full of other work: a test that hangs is told, one that is slow is not.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    // One more than the two cores of a small machine: many tests wait for programs and servers.
    maxWorkers: 3,
    // To load the program anew for each file took a quarter of the processor's time.
    isolate: false,
    setupFiles: [join(import.meta.dirname, 'test/setup.ts')],
    // Tests start the program some thousand times from its source: what Node.js compiled of it once halves each start.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compiled') },
    projects: [
      {
        extends: true,
        test: {
          name: 'sqlite',
          include: ['test/**/*.test.ts'],
          exclude: [...SERVER_TESTS, ...CLUSTER_TESTS, ...MOCKING],
          provide: { storeServer: undefined },
        },
      },
      { extends: true, test: { name: 'mocking', include: MOCKING, isolate: true } },
      ...servers.map((name) => ({
        extends: true as const,
        test: {
          name,
          include: [...STORE_TESTS, ...SERVER_TESTS],
          exclude: ONLY_SQLITE,
          globalSetup: ['test/central/engines/setup.ts'],
        },
      })),
      ...(isCluster
        ? [
            {
              extends: true as const,
              test: {
                name: 'galera',
                include: [...(isWhole ? STORE_TESTS : CLUSTER_CHOICE), ...CLUSTER_TESTS],
                exclude: ONLY_SQLITE,
                globalSetup: ['test/central/engines/setup.ts'],
                testTimeout: 120_000,
              },
            },
          ]
        : []),
    ],
  },
});
