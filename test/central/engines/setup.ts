/** Starts the server of a test project once, for all of its files. */
import type { TestProject } from 'vitest/node';
import { startGalera } from '../../clusters/galera.ts';
import type { ServerKind } from './paths.ts';
import { startDatabase } from './servers.ts';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (project.name === 'galera') {
    const cluster = await startGalera();
    project.provide('storeServer', { url: cluster.url('{}'), admin: cluster.url('mysql') });
    return () => cluster.close();
  }
  const kind = project.name as ServerKind;
  const server = await startDatabase(kind);
  project.provide('storeServer', {
    url: server.url('{}'),
    admin: server.url(kind === 'mariadb' ? 'mysql' : 'postgres'),
  });
  return () => server.stop();
}
