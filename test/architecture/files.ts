/** The repository's own files: what is installed, built or git's is left out. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SourceFile } from './scan.ts';

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));

const LEFT_OUT: readonly string[] = ['.git', 'node_modules', 'dist', 'screenshots', 'package-lock.json'];
const BINARY = /\.(?:png|jpe?g|gif|ico|woff2?|gz|db)$/;

/** Paths from the root, sorted, of every text file at or below `folder`. */
export function repositoryFiles(folder = ''): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !LEFT_OUT.includes(name) && !BINARY.test(name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return repositoryFiles(path);
      return entry.isFile() ? [path] : [];
    })
    .sort();
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function sourceFiles(): SourceFile[] {
  return repositoryFiles('src')
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readText(path) }));
}
