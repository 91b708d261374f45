/** Runs a program under the recorder and reads what it did: file operations and acknowledgements in one order. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from './run-child.ts';

export type Operation =
  | { readonly op: 'open'; readonly fd: number; readonly path: string; readonly truncates: boolean }
  | { readonly op: 'close'; readonly fd: number }
  | { readonly op: 'write'; readonly fd: number; readonly offset: number; readonly data: Uint8Array }
  | { readonly op: 'truncate'; readonly fd: number; readonly length: number }
  | { readonly op: 'sync'; readonly fd: number }
  | { readonly op: 'unlink'; readonly path: string }
  | { readonly op: 'rename'; readonly path: string; readonly to: string }
  | { readonly op: 'said'; readonly lines: readonly string[] };

const HEAD_BYTES = 24;
const source = fileURLToPath(new URL('./recorder.c', import.meta.url));

/** Where a C compiler is, or null. */
export function findCompiler(): string | null {
  const paths = ['/usr/bin/cc', '/usr/bin/gcc', '/usr/bin/clang', '/usr/local/bin/cc'];
  return paths.find((path) => isProgram(path)) ?? null;
}

/** Compiles the recorder into `folder`. */
export function buildRecorder(folder: string): string {
  const compiler = findCompiler();
  if (compiler === null) throw new Error('no C compiler');
  const library = join(folder, 'recorder.so');
  execFileSync(compiler, ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl', '-pthread'], { stdio: 'pipe' });
  return library;
}

/** Runs `program` with `plan` and a `path` in a new folder, to its end. */
export async function recordRun(
  library: string,
  folder: string,
  program: string,
  plan: object,
): Promise<readonly Operation[]> {
  const files = join(folder, 'files');
  const record = join(folder, 'record');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(files, { recursive: true });
  const env = { LD_PRELOAD: library, FAULTS_FOLDER: files, FAULTS_RECORD: record };
  const child = startChild({ ...plan, path: join(files, 'events.db') }, { program, env });
  const { code, signal, stderr } = await child.ended;
  if (code !== 0) throw new Error(`the recorded program ended with ${code ?? signal}: ${child.heard.errors} ${stderr}`);
  const operations = parseRecord(readFileSync(record));
  rmSync(folder, { recursive: true, force: true });
  return operations;
}

export function parseRecord(bytes: Buffer): readonly Operation[] {
  const operations: Operation[] = [];
  for (let at = 0; at < bytes.length; ) {
    const pathBytes = bytes.readUInt16LE(at + 2);
    const dataBytes = bytes.readUInt32LE(at + 4);
    const fd = bytes.readInt32LE(at + 8);
    const offset = Number(bytes.readBigInt64LE(at + 16));
    const path = bytes.toString('utf8', at + HEAD_BYTES, at + HEAD_BYTES + pathBytes);
    const data = bytes.subarray(at + HEAD_BYTES + pathBytes, at + HEAD_BYTES + pathBytes + dataBytes);
    const truncates = bytes[at + 1] === 1;
    operations.push(operation(bytes[at] ?? 0, { fd, offset, path, data, truncates }));
    at += HEAD_BYTES + pathBytes + dataBytes;
  }
  return operations;
}

interface Fields {
  readonly fd: number;
  readonly offset: number;
  readonly path: string;
  readonly data: Buffer;
  readonly truncates: boolean;
}

function operation(code: number, { fd, offset, path, data, truncates }: Fields): Operation {
  switch (code) {
    case 1:
      return { op: 'open', fd, path, truncates };
    case 2:
      return { op: 'close', fd };
    case 3:
      return { op: 'write', fd, offset, data };
    case 4:
      return { op: 'truncate', fd, length: offset };
    case 5:
      return { op: 'sync', fd };
    case 6:
      return { op: 'unlink', path };
    case 7:
      return { op: 'rename', path, to: data.toString('utf8') };
    case 8:
      return { op: 'said', lines: data.toString('utf8').split('\n') };
    default:
      throw new Error(`the recorder wrote an unknown operation ${code}`);
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
